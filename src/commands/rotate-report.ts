import { formatTable, printable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { errorJson } from "../migrate/report.ts";
import { exitOf, type Failure } from "../rotate/outcome.ts";
import { HUMAN, isPromoted, type Report } from "./rotate-one.ts";

/** What `rotate` tells of secrets: lines and JSON, never a value. */

/** The exit code of all together: one that needs a person calls for one; else what all of them have, or that some failed. */
export function exitOfAll(reports: readonly Report[]): number {
  const exits = reports.map(exitOfReport);
  if (exits.includes(EXIT.stuck)) return EXIT.stuck;
  const [first = EXIT.ok] = exits;
  return exits.every((exit) => exit === first) ? first : EXIT.findings;
}

export function exitOfReport(report: Report): number {
  const { outcome } = report;
  if (outcome.type === "failed") return outcome.error.exit;
  return waitsForPerson(report) ? EXIT.ok : exitOf(outcome);
}

/** All that is left is the end of the old value, by hand. */
function waitsForPerson({ target, outcome }: Report): boolean {
  return target === HUMAN && outcome.type === "later" && isPromoted(outcome);
}

/** One line of JSON for one secret. */
export function reportJson(report: Report): string {
  const { reference, target, outcome, restart } = report;
  const line = {
    schema: "mcp-secrets/rotate/1",
    reference,
    target,
    exit: exitOfReport(report),
    ...plain(outcome),
    restart,
  };
  return `${JSON.stringify(line)}\n`;
}

function plain(outcome: Report["outcome"]): object {
  switch (outcome.type) {
    case "failed":
      return { outcome: "failed", error: errorJson(outcome.error) };
    case "draining": {
      const { type, until, holders, ...rest } = outcome;
      return { outcome: type, ...rest, until: timeOf(until), ...(holders === undefined ? {} : { holders }) };
    }
    case "busy":
      return { outcome: outcome.type, host: outcome.host, until: timeOf(outcome.until) };
    case "later":
    case "adminRefused": {
      const { type, oldValidSince, ...rest } = outcome;
      return {
        outcome: type,
        ...rest,
        ...(oldValidSince === undefined ? {} : { oldValidSince: timeOf(oldValidSince) }),
      };
    }
    case "rolledBack":
      return { outcome: outcome.type, id: outcome.id, reason: failureText(outcome.why) };
    case "rotated":
    case "notDue":
    case "stuck": {
      const { type, ...rest } = outcome;
      return { outcome: type, ...rest };
    }
  }
}

export function reportTable(reports: readonly Report[]): string {
  return formatTable(
    ["REFERENCE", "OUTCOME", "WHY"],
    reports.map((report) => [report.reference, nameOf(report), detailOf(report)]),
  );
}

/** The next command, or what a person must look at. */
export function hintsOf(reports: readonly Report[]): readonly string[] {
  const hints = reports.flatMap((report) => {
    const { reference, restart } = report;
    const again = restart.map((entry) => `restart ${entry}: it holds the old value of ${reference}`);
    const advice = waitsForPerson(report) ? [retireHint(reference)] : adviceOf(report);
    return [...again, ...advice];
  });
  return [...new Set(hints)].map(printable);
}

export function retireHint(reference: string): string {
  return `revoke the old value of ${reference} at its issuer, then mcp-secrets rotate ${reference} --retired`;
}

/** What a person does about a value from the future. */
export function postdatedHint(reference: string): string {
  return `see that the clock is right, then mcp-secrets rotate ${reference}`;
}

/** What a person does about a stuck one. */
export function stuckHint(reference: string, check: string, damaged: boolean): string {
  return damaged ? check : `${check}; then mcp-secrets rotate ${reference} --settle`;
}

function adviceOf({ reference, outcome, damaged }: Report): readonly string[] {
  switch (outcome.type) {
    case "failed":
      return outcome.error.hint === undefined ? [] : [outcome.error.hint];
    case "later":
    case "adminRefused":
      return outcome.hint === undefined ? [] : [outcome.hint];
    case "stuck":
      return [stuckHint(reference, outcome.check, damaged)];
    case "rotated":
    case "draining":
    case "busy":
    case "notDue":
    case "rolledBack":
      return [];
  }
}

const NAMES: Readonly<Record<Report["outcome"]["type"], string>> = {
  rotated: "rotated",
  draining: "rotated, the old value lives on",
  busy: "another process is at it",
  notDue: "done already",
  later: "not now",
  rolledBack: "rolled back",
  stuck: "STUCK",
  adminRefused: "refused",
  failed: "failed",
};

/** What is left of a rotation whose new value is current is the old one's end. */
function nameOf(report: Report): string {
  if (waitsForPerson(report)) return "rotated, the old value is to be ended";
  const { outcome } = report;
  return NAMES[isPromoted(outcome) && outcome.type !== "rotated" ? "draining" : outcome.type];
}

export function detailOf({ outcome }: Report): string {
  switch (outcome.type) {
    case "rotated":
      return outcome.version === undefined ? "" : `version ${outcome.version}`;
    case "draining":
      return `version ${outcome.version}; until ${timeOf(outcome.until)} at most`;
    case "busy":
      return `on ${outcome.host}, until ${timeOf(outcome.until)}`;
    case "notDue":
      return "";
    case "later":
    case "stuck":
    case "adminRefused":
      return outcome.reason;
    case "rolledBack":
      return failureText(outcome.why);
    case "failed":
      return outcome.error.message;
  }
}

function failureText(why: Failure): string {
  switch (why.type) {
    case "rejected":
      return "the new value was not let in; the old one is current";
    case "lacking":
      return `the new value lacks rights: ${why.missing.join(", ")}; the old one is current`;
    case "incomplete":
      return `the new value lacks fields of the secret: ${why.missing.join(", ")}; the old one is current`;
    case "superseded":
      return "another value was stored meanwhile, and works";
  }
}

export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
