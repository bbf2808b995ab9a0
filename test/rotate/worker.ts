import { writeSync } from "node:fs";
import { open as openLocal } from "../../providers/local/index.ts";
import { openSeal } from "../../providers/local/seal.ts";
import { realContext } from "../../src/context.ts";
import type { Provider, StoreOptions } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { EngineTarget } from "../../src/rotate/claim.ts";
import { rotateSecret } from "../../src/rotate/engine.ts";
import { NOT_USED } from "./not-used.ts";
import { type IssuerKind, issuerTarget } from "./issuer-target.ts";

/**
 * One run of the engine in a process of its own, for tests that kill or stop it. Before and after each write of the
 * store or of the disk, and each call of the target, is a point; at the one with the number AT it sends itself SIGNAL.
 */
export interface WorkerJob {
  readonly store: "local" | "vault" | "aws";
  readonly name: string;
  readonly path: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly kind: IssuerKind;
  readonly address: string;
  /** A point by its number or its name; 0 for none. */
  readonly at: number | string;
  readonly signal: "SIGKILL" | "SIGSTOP";
  /** Names this machine; a test has several. */
  readonly host?: string;
  readonly claimTime?: number;
  readonly callTime?: number;
  readonly slot?: string;
  readonly grace?: number;
}

/** What it prints: how it ended and how many points there were. */
export interface WorkerReport {
  readonly outcome: string;
  readonly detail: string;
  readonly points: readonly string[];
}

const points: string[] = [];

async function main(job: WorkerJob): Promise<void> {
  const context = realContext();
  const point = (name: string) => {
    if (points.push(name) !== job.at && name !== job.at) return;
    process.kill(process.pid, job.signal);
    // A signal to oneself may be delivered a moment later.
    if (job.signal === "SIGSTOP") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  };
  const { files, lock, now, home, random } = context;
  const options: StoreOptions = {
    ...context,
    store: job.name,
    host: context.hostname,
    settings: job.settings,
    chance: Math.random,
    ...NOT_USED,
  };
  const outcome = await rotateSecret(
    {
      ref: { store: job.name, path: job.path },
      targetName: "issuer",
      grace: job.grace ?? 0,
      ...(job.slot !== undefined && { slot: job.slot }),
    },
    {
      provider: watchedStore(await openStore(job, options), point),
      target: watchedTarget(issuerTarget({ address: job.address, kind: job.kind }), point),
      home,
      files: {
        ...files,
        async writePrivate(path, data) {
          point(`disk before`);
          await files.writePrivate(path, data);
          point(`disk after`);
        },
      },
      openSeal: async () => openSeal({ store: "local", home, files, lock, now }),
      owner: () => ({ ...context.owner(), ...(job.host !== undefined && { host: job.host }) }),
      stateOf: (owner) =>
        job.host !== undefined && owner.host !== job.host
          ? "unknown"
          : context.stateOf({ ...owner, host: context.owner().host }),
      now,
      sleep: context.sleep,
      random,
      holders: () => [],
      ...(job.claimTime !== undefined && { claimTime: job.claimTime }),
      ...(job.callTime !== undefined && { callTime: job.callTime }),
    },
  );
  report(outcome.type, JSON.stringify(outcome));
}

async function openStore(job: WorkerJob, options: StoreOptions): Promise<Provider> {
  if (job.store === "vault") return (await import("#vault")).open(options);
  if (job.store === "aws") return (await import("#aws")).open(options);
  return openLocal(options);
}

function watchedStore(provider: Provider, point: (name: string) => void): Provider {
  const put = provider.put?.bind(provider);
  return {
    ...provider,
    ...(put && {
      async put(path, fields, condition) {
        point(`put before ${path}`);
        const version = await put(path, fields, condition);
        point(`put after ${path}`);
        return version;
      },
    }),
  };
}

function watchedTarget(target: EngineTarget, point: (name: string) => void): EngineTarget {
  const watched = Object.entries(target).map(([name, member]) => {
    if (typeof member !== "function" || name === "propose") return [name, member];
    return [
      name,
      async (...args: unknown[]) => {
        point(`${name} before`);
        const answer: unknown = await Reflect.apply(member, target, args);
        point(`${name} after`);
        return answer;
      },
    ];
  });
  return Object.fromEntries(watched) as EngineTarget;
}

function report(outcome: string, detail: string): void {
  const text: WorkerReport = { outcome, detail, points };
  writeSync(1, JSON.stringify(text));
}

main(JSON.parse(process.argv[2] ?? "{}") as WorkerJob).catch((error: unknown) => {
  report(error instanceof UserError ? error.code : "bug", error instanceof Error ? String(error.stack) : "");
});
