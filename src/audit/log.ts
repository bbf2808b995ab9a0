import { join } from "node:path";
import type { Files } from "../core/files.ts";
import { shellWord } from "../core/shell.ts";
import { UserError, systemCode } from "../errors.ts";
import { type Actor, type AuditRecord, formatRecord } from "./record.ts";

/** What writing the log needs of the Context. */
export interface AuditPlace {
  readonly files: Files;
  readonly home: string;
  readonly parentProgram: () => string | undefined;
  readonly hostname: string;
  readonly uid: number;
  readonly pid: number;
  readonly ppid: number;
  readonly now: () => number;
}

/** An event as its command knows it. */
export type AuditEntry = Omit<AuditRecord, "v" | "ts" | "actor">;

export function auditPath(home: string): string {
  return join(home, "audit", "audit.jsonl");
}

/**
 * Appends one line to the log, in one write.
 * @throws UserError cannot-write: what cannot be recorded must not be done, as Vault refuses requests that none of its
 * audit devices could log
 */
export function appendAudit(place: AuditPlace, entry: AuditEntry): void {
  const record: AuditRecord = { v: 1, ts: new Date(place.now()).toISOString(), ...entry, actor: actorOf(place) };
  const path = auditPath(place.home);
  try {
    appendLine(place.files, place.home, formatRecord(record));
  } catch (error) {
    const code = systemCode(error) ?? "error";
    const isLink = code === "ELOOP";
    throw new UserError("cannot-write", `cannot write the audit log ${path}: ${isLink ? "it is a link" : code}`, {
      hint: isLink
        ? `rm ${shellWord(path)} takes the link away`
        : `check the permissions and the free space of ${join(place.home, "audit")}`,
      cause: error,
    });
  }
}

function appendLine(files: Files, home: string, line: string): void {
  try {
    files.append(auditPath(home), line);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    files.makePrivateDir(join(home, "audit"));
    files.append(auditPath(home), line);
  }
}

function actorOf({ uid, pid, ppid, hostname, parentProgram }: AuditPlace): Actor {
  const parent = parentProgram();
  return { uid, pid, ppid, ...(parent === undefined ? {} : { parent }), host: hostname };
}
