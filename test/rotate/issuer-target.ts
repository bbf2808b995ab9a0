import type { Fields } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { EngineTarget } from "../../src/rotate/claim.ts";
import type { MintTarget, RotationClass, RotationRequest, SetTarget, Verdict } from "../../src/rotate/target.ts";
import { ADMINISTRATOR } from "../servers/issuer.ts";

/** How a test's issuer is rotated; `alternating`: two users take turns. */
export type IssuerKind = "set-O" | "set-X" | "mint-O" | "mint-X" | "alternating" | "human";

export interface IssuerTargetOptions {
  readonly address: string;
  readonly kind: IssuerKind;
  /** Milliseconds for one request. */
  readonly patience?: number;
  readonly reuseRevokes?: true;
  readonly settling?: number;
}

/** A target for `test/servers/issuer.ts`. */
export function issuerTarget(options: IssuerTargetOptions): EngineTarget {
  const [kind, given] = options.kind === "alternating" ? ["set", "O"] : options.kind.split("-");
  const type: RotationClass = given === "X" ? "X" : "O";
  const common = {
    ...(options.settling === undefined ? {} : { settling: options.settling }),
    test: (fields: Fields, request: RotationRequest) => login(options, fields, request),
    retire: (old: Fields) => (options.kind === "alternating" ? Promise.resolve() : ask(options, "retire", old)),
  };
  if (kind === "human") return { ...common, class: "H", kind, guide: () => ({ steps: ["make a new one"] }) };
  if (kind === "mint") return { ...common, ...minter(options), class: type };
  return { ...common, ...setter(options), class: type };
}

function setter(options: IssuerTargetOptions): Omit<SetTarget, "class" | "test" | "retire"> {
  return {
    kind: "set",
    propose: ({ current, id }) => ({ ...current, ...nextUser(options, current), password: new Secret(`made-${id}`) }),
    set: (fields) => ask(options, "set", fields),
  };
}

function nextUser({ kind }: IssuerTargetOptions, { user }: Fields): Fields {
  if (kind !== "alternating") return {};
  const name = user?.expose() ?? "app";
  return { user: new Secret(name.endsWith("_b") ? name.slice(0, -2) : `${name}_b`) };
}

function minter(options: IssuerTargetOptions): Omit<MintTarget, "class" | "test" | "retire"> {
  return {
    kind: "mint",
    ...(options.reuseRevokes && { reuseRevokes: true }),
    async mint({ current, id }) {
      const { password } = await ask(options, "mint", current, id);
      return { ...current, password: new Secret(String(password)) };
    },
    discard: async ({ current, id }) => void (await ask(options, "discard", { user: userOf(current) }, id)),
  };
}

function userOf(fields: Fields): Secret {
  return fields["user"] ?? new Secret("app");
}

async function login(options: IssuerTargetOptions, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const answer = await post(options, "login", fields, "");
  if (answer === undefined) return { type: "unreachable", reason: "the issuer does not answer" };
  if (answer.status === 401) return { type: "rejected" };
  if (answer.status !== 200) return { type: "unreachable", reason: `the issuer answers ${answer.status}` };
  const missing = ["read", "write"].filter((grant) => !answer.body.grants.includes(grant));
  void request;
  return missing.length === 0 ? { type: "valid" } : { type: "lacking", missing };
}

async function ask(options: IssuerTargetOptions, operation: string, fields: Fields, name = "") {
  const answer = await post(options, operation, fields, name);
  if (answer === undefined) throw new UserError("target-lost", "the issuer's answer was lost");
  if (answer.status === 403)
    throw new UserError("target-refused", "the issuer does not let us", { hint: "look at it" });
  if (answer.status !== 200) throw new UserError("target-unreachable", `the issuer answers ${answer.status}`);
  return answer.body;
}

/** A connection of its own; undefined where no answer came. */
async function post(
  { address, patience = 10_000 }: IssuerTargetOptions,
  operation: string,
  fields: Fields,
  name: string,
) {
  const body = JSON.stringify({
    administrator: ADMINISTRATOR,
    user: userOf(fields).expose(),
    password: fields["password"]?.expose() ?? "",
    name,
  });
  try {
    const headers = { connection: "close" };
    const signal = AbortSignal.timeout(patience);
    const response = await fetch(`${address}/${operation}`, { method: "POST", body, headers, signal });
    return { status: response.status, body: JSON.parse(await response.text()) };
  } catch {
    return undefined;
  }
}
