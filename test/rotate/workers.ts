import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import type { WorkerJob, WorkerReport } from "./worker.ts";

export interface Ended extends Partial<WorkerReport> {
  readonly signal: NodeJS.Signals | null;
}

/** Bundles `worker.ts`; the stores that it can open are those of the built program. */
export async function buildWorker(): Promise<string> {
  const file = join(mkdtempSync(join(tmpdir(), "mcps-worker-")), "worker.cjs");
  const dist = resolve(import.meta.dirname, "../../dist");
  const alias = { "#vault": join(dist, "vault.cjs"), "#aws": join(dist, "aws.cjs") };
  await build({
    entryPoints: [resolve(import.meta.dirname, "worker.ts")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    alias,
    external: Object.values(alias),
    supported: { "dynamic-import": false },
    define: { VERSION: JSON.stringify("0.0.0-test") },
    logLevel: "error",
  });
  return file;
}

/** Starts a run in a home of its own user. */
export function startWorker(file: string, home: string, job: WorkerJob) {
  const env = { HOME: home, PATH: dirname(process.execPath) };
  const child = spawn(process.execPath, [file, JSON.stringify(job)], { env, stdio: ["ignore", "pipe", "inherit"] });
  return { child, ended: endOf(child) };
}

async function endOf(child: ChildProcess): Promise<Ended> {
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const signal = await new Promise<NodeJS.Signals | null>((done) => child.on("close", (_, how) => done(how)));
  return { signal, ...(text === "" ? {} : JSON.parse(text)) };
}
