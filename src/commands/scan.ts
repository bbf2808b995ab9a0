import type { Context } from "../context.ts";
import { printable } from "../core/table.ts";
import { told } from "../core/told.ts";
import { EXIT } from "../errors.ts";
import { type ConfigPlan, makePlan } from "../migrate/plan.ts";
import { type ConfigReport, findingTable, reportJson, reportsOf } from "../migrate/report.ts";
import { gather, type Selection } from "./gather.ts";

export interface ScanOptions extends Selection {
  readonly json?: boolean;
}

/** `scan`: reports and touches nothing. Returns 1 where there are findings, the code of a failure where one was met. */
export async function runScan(context: Context, options: ScanOptions): Promise<number> {
  const { configs, failures } = gather(context, options);
  const inputs = configs.map(({ input }) => input);
  // A plan without a store: what is found, and nothing of where it would go.
  const plan = makePlan(inputs, [], { store: "local", launcher: { command: "mcp-secrets", args: [] } });
  const found = { configs: plan.configs.map(foundOnly), secrets: [] };
  const reports = reportsOf(found, { configs, failures }, "found");
  if (options.json === true) context.terminal.out(reportJson("scan", reports));
  else show(context, reports);
  const failed = failures[0]?.error.exit;
  const bad = reports.some(({ status, problems }) => status === "found" || problems.length > 0);
  return failed ?? (bad ? EXIT.findings : EXIT.ok);
}

/** Where a secret would go is the business of migrate. */
function foundOnly(config: ConfigPlan): ConfigPlan {
  const findings = config.findings.map(({ finding }) => ({ finding, argvVisible: false }));
  return { ...config, findings };
}

function show(context: Context, reports: readonly ConfigReport[]): void {
  const { terminal } = context;
  if (reports.length === 0) terminal.out("no config of an MCP client was found\n");
  for (const { path, plan, problems, empty, error } of reports) {
    terminal.out(`${printable(path)}\n`);
    if (error !== undefined) terminal.err(told("error", error.message));
    if (plan !== undefined) terminal.out(plan.findings.length === 0 ? cleanText(problems.length) : findingTable(plan));
    if (empty === true) terminal.err(told("warning", `${path} has no servers under mcpServers`));
    for (const { server, problem } of problems) {
      terminal.err(told("warning", `${server}: ${problem}`));
    }
  }
}

function cleanText(unread: number): string {
  return unread === 0 ? "no plaintext secret\n" : "no plaintext secret in the entries that could be read\n";
}
