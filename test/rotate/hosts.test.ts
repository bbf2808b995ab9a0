import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { LONG } from "../helpers/cli.ts";
import { issue, passwordsOf, startIssuer } from "../servers/issuer.ts";
import { type RotatedStore, startStore } from "./stores.ts";
import type { WorkerJob } from "./worker.ts";
import { buildWorker, startWorker } from "./workers.ts";

/**
 * Two hosts rotate one secret of a shared store; one of them is stopped with SIGSTOP just before an effect, for longer
 * than its claim, while the other goes on; then it goes on too.
 */
const ROUNDS = LONG ? 50 : 1;
const CLAIM = 300;

let worker = "";
let store: RotatedStore;
beforeAll(async () => {
  worker = await buildWorker();
  store = await startStore("vault");
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(dirname(worker), { recursive: true, force: true });
});

test.each(["set-X", "set-O", "mint-O"] as const)(
  "%s: one new value, and both hosts end well",
  async (kind) => {
    await using issuer = await startIssuer();
    issuer.overlap = kind.endsWith("O");
    const [a, b] = [store.machine(), store.machine()];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [user, path] = [`user${round}`, `${store.folder}hosts/${kind}-${round}`];
      issue(issuer, user, "first");
      await store.provider.put(path, { user: new Secret(user), password: new Secret("first") }, { ifVersion: 0 });
      const slot = "2026-11-25T02:00:00.000Z";
      const job: WorkerJob = {
        ...store.job,
        path,
        kind,
        slot,
        address: issuer.address,
        claimTime: CLAIM,
        // Just before the call that makes the new value: the claim was looked at, and is ours.
        at: kind === "mint-O" ? "mint before" : "set before",
        signal: "SIGSTOP",
        host: "host-a",
      };
      const first = startWorker(worker, a, job);
      await stopped(first.child.pid ?? 0);
      await pause(CLAIM);
      const second = await startWorker(worker, b, { ...job, at: 0, host: "host-b", claimTime: 60_000 }).ended;
      first.child.kill("SIGCONT");
      const ended = await first.ended;
      expect(second.outcome, second.detail).toBe("rotated");
      expect(["busy", "notDue"], ended.detail).toContain(ended.outcome);
      const stored = await store.provider.read(path, { deadline: Date.now() + 10_000 });
      expect(stored?.version).toBe(2);
      expect(passwordsOf(issuer, user)).toEqual([stored?.fields["password"]?.expose()]);
    }
  },
  1_800_000,
);

/** Field 3 of /proc/PID/stat, after the name. */
async function stopped(pid: number): Promise<void> {
  const { readFileSync } = await import("node:fs");
  for (;;) {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    if (stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "T") return;
    await pause(20);
  }
}
