import { onTestFinished } from "vitest";
import { openSeal } from "../../providers/local/seal.ts";
import { journalOf } from "../../src/core/journal.ts";
import type { Fields, Provider } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import type { EngineTarget } from "../../src/rotate/claim.ts";
import { rotateSecret, settleRotation } from "../../src/rotate/engine.ts";
import type { RotationOptions, RotationPlan } from "../../src/rotate/options.ts";
import type { Outcome } from "../../src/rotate/outcome.ts";
import type { RotationState } from "../../src/rotate/state.ts";
import { type TemporaryHome, random, temporaryHome } from "../helpers/local-store.ts";
import { type Asked, type Issuer, issue, startIssuer } from "../servers/issuer.ts";
import { type IssuerKind, issuerTarget } from "./issuer-target.ts";

/** A secret in a store, the issuer that made it, and runs of the engine in this process. */
export interface Scene {
  readonly issuer: Issuer;
  readonly provider: RotatedProvider;
  readonly home: TemporaryHome;
  readonly path: string;
  /** Each phase that was written, in order, of all runs. */
  readonly phases: string[];
  readonly target: EngineTarget;
  run(change?: Change): Promise<Outcome>;
  settle(): Promise<Outcome>;
  /** The password in the store. */
  stored(): Promise<string>;
  /** A value in the journal. */
  held(name: string): Promise<string | undefined>;
  state(): Promise<RotationState>;
  /** What was asked of the issuer, in words. */
  asked(): string;
}

export interface Change extends Partial<RotationOptions> {
  readonly plan?: Partial<RotationPlan>;
}

export type RotatedProvider = Provider & Required<Pick<Provider, "put" | "read">>;

export interface SceneOptions {
  readonly provider?: RotatedProvider;
  readonly path?: string;
  readonly store?: string;
  readonly patience?: number;
  readonly reuseRevokes?: true;
  readonly settling?: number;
}

export const FIRST = "first";

export async function openScene(kind: IssuerKind, given: SceneOptions = {}): Promise<Scene> {
  const issuer = await startIssuer();
  const home = temporaryHome();
  onTestFinished(async () => {
    await issuer[Symbol.asyncDispose]();
    home[Symbol.dispose]();
  });
  issuer.overlap = kind.endsWith("O");
  issue(issuer, "app", FIRST);
  const { provider = home.open(), path = "db/password", store = "local" } = given;
  await provider.put(path, { user: new Secret("app"), password: new Secret(FIRST) }, { ifVersion: 0 });
  const target = issuerTarget({ ...given, address: issuer.address, kind });
  const phases: string[] = [];
  const plan: RotationPlan = { ref: { store, path }, targetName: "issuer", grace: 0 };
  const options = optionsFor({ home, provider, target, phases });
  const read = async (where: string) => (await provider.read(where, { deadline: Date.now() + 5_000 }))?.fields ?? {};
  const journal = () => read(journalOf(path));
  return {
    issuer,
    provider,
    home,
    path,
    phases,
    target,
    run: ({ plan: change, ...more } = {}) => rotateSecret({ ...plan, ...change }, { ...options, ...more }),
    settle: () => settleRotation(plan, options),
    stored: async () => textOf(await read(path)),
    held: async (name) => passwordIn((await journal())[name]),
    state: async () => JSON.parse((await journal())["state"]?.expose() ?? "{}"),
    asked: () => issuer.asked.map(({ operation }) => operation).join(" "),
  };
}

function optionsFor(
  given: Pick<Scene, "home" | "provider" | "target"> & { readonly phases: string[] },
): RotationOptions {
  const local = given.home.options();
  // Nobody waits in a test: the clock goes on instead.
  let slept = 0;
  return {
    ...given,
    home: given.home.home,
    files: local.files,
    openSeal: async () => openSeal(local),
    // Runs of one test come one after the other: whoever held the claim is gone.
    owner: () => ({ pid: process.pid, host: "here", boot: "", namespace: "", started: "", since: Date.now() }),
    stateOf: () => "dead",
    now: () => Date.now() + slept,
    sleep: async (time) => void (slept += time),
    random,
    holders: () => [],
    progress: (phase) => void given.phases.push(phase),
  };
}

function textOf(fields: Fields): string {
  return fields["password"]?.expose() ?? "";
}

function passwordIn(text: Secret | undefined): string | undefined {
  return text === undefined ? undefined : JSON.parse(text.expose()).password;
}

/** The issuer lets the first so many requests of an operation end in `fault`. */
export function failing(
  issuer: Issuer,
  operation: Asked["operation"],
  fault: ReturnType<Issuer["fault"]>,
  times = 1,
): void {
  let left = times;
  issuer.fault = (asked) => (asked.operation === operation && left-- > 0 ? fault : undefined);
}
