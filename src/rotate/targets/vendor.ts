import type { Fields } from "../../core/provider.ts";
import { Secret } from "../../core/secret.ts";
import type { MintTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
import { lost, refused, unreachable } from "./failure.ts";
import type { Reply } from "./vendors/ask.ts";
import { listAt, textAt } from "./vendors/contract.ts";
import {
  asManager,
  end,
  idOf,
  inContract,
  knownId,
  managerOf,
  named,
  no,
  sendAs,
  told,
  valuesOf,
  type Vendor,
} from "./vendors/manage.ts";
import { parseVendorSettings } from "./vendors/settings.ts";

/**
 * A vendor's API, as its contract in `vendors/table.ts` has it.
 * @throws UserError config-invalid
 */
export function open(options: TargetOptions): MintTarget {
  const settings = parseVendorSettings(options);
  const vendor: Vendor = { options, settings, contract: settings.contract };
  const { reuseRevokes, whenLost } = settings.contract;
  return {
    class: settings.contract.class,
    kind: "mint",
    settling: SETTLING,
    ...(reuseRevokes !== undefined && { reuseRevokes }),
    ...(whenLost !== undefined && { whenLost }),
    mint: (request) => mint(vendor, request),
    discard: (request) => discard(vendor, request),
    test: (fields, request) => test(vendor, fields, request),
    retire: (old, request) => retire(vendor, old, request),
  };
}

/** A vendor is many machines: one of them may not know a new key yet. Milliseconds. */
const SETTLING = 10_000;

async function mint(vendor: Vendor, request: RotationRequest): Promise<Fields> {
  const { contract, settings, options } = vendor;
  const current = inContract(settings, request.current);
  // Before anything is made: what cannot be ended afterwards is not replaced.
  const id = contract.retire === undefined ? "" : await idOf(vendor, contract.retire, current, request);
  const like = contract.like === undefined ? undefined : await asManager(vendor, contract.like, { id }, request);
  const values = valuesOf(vendor, request, "");
  const now = options.now();
  const expires = settings.days === undefined ? undefined : new Date(now + settings.days * 86_400_000);
  const credential = await managerOf(vendor, contract.mint, request.current);
  const parts = { values, credential, expires, now: new Date(now), scopes: settings.scopes, like: like ?? null };
  const body = contract.mint.body?.(parts);
  const reply = await sendAs(
    vendor,
    contract.mint,
    { credential, values, ...(body !== undefined && { body }) },
    request,
  );
  return minted(vendor, reply, request);
}

/** The new fields beside those that the issuer knows nothing of. */
function minted({ contract, settings, options }: Vendor, reply: Reply, request: RotationRequest): Fields {
  const { ref } = options;
  const what = told(contract, contract.mint);
  if (reply.type === "none") throw (reply.sent ? lost : unreachable)(ref, `${what}: ${reply.reason}`);
  if (reply.status >= 300) throw no(ref, contract, contract.mint, reply.status);
  const wrong = contract.failed?.(reply.json);
  if (wrong?.maybe === true) throw lost(ref, `${what}: ${wrong.what}`);
  if (wrong !== undefined) throw refused(ref, `${what}: ${wrong.what}`, `see ${contract.source}`);
  const fields = Object.entries(contract.fields).map(([name, place]) => {
    const value = textAt(reply.json, place);
    if (value === undefined) throw lost(ref, `${what}: the answer has no ${place.join(".")}`);
    return [name === "value" ? settings.field : name, new Secret(value)] as const;
  });
  return { ...request.current, ...Object.fromEntries(fields) };
}

async function test(vendor: Vendor, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const { contract, settings } = vendor;
  const credential = inContract(settings, fields);
  const call = settings.test === undefined ? contract.test : { ...contract.test, path: settings.test };
  const values = valuesOf(vendor, request, "");
  const body = call.body?.({ values, credential, expires: undefined, now: new Date(0), scopes: [], like: undefined });
  const reply = await sendAs(vendor, call, { credential, values, ...(body !== undefined && { body }) }, request);
  if (reply.type === "none") return { type: "unreachable", reason: reply.reason };
  const { status, json } = reply;
  const judged = contract.judge?.(status, json);
  if (judged !== undefined) return judged;
  if (status === 401) return { type: "rejected" };
  if (status === 403) return { type: "lacking", missing: [`${call.method} ${call.path}`] };
  if (status >= 300) return { type: "unreachable", reason: `status ${status}` };
  if (contract.rights === undefined) return { type: "valid" };
  const has = new Set(listAt(json, contract.rights));
  const missing = settings.scopes.filter((scope) => !has.has(scope));
  return missing.length === 0 ? { type: "valid" } : { type: "lacking", missing };
}

/** Class X: the issuer has ended it. */
async function retire(vendor: Vendor, old: Fields, request: RotationRequest): Promise<void> {
  const { contract, settings } = vendor;
  if (contract.retire === undefined) return;
  const id = await idOf(vendor, contract.retire, inContract(settings, old), request);
  await end(vendor, contract.retire, id, request);
}

/** Every key that bears the name of this rotation: no other has it. */
async function discard(vendor: Vendor, request: RotationRequest): Promise<void> {
  const { retire: retirement } = vendor.contract;
  if (retirement === undefined) return;
  const current = inContract(vendor.settings, request.current);
  const spared = knownId(retirement, current);
  for (const id of await named(vendor, retirement, request)) {
    // One or two: a mint whose answer was lost, and what came of it since.
    if (id !== spared) await end(vendor, retirement, id, request);
  }
}
