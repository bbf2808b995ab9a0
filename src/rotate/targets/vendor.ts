import type { Fields } from "../../core/provider.ts";
import { formatRef, type SecretRef } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import type { MintTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
import { lost, refused, unreachable } from "./failure.ts";
import { fillPath, type Reply, send } from "./vendors/ask.ts";
import {
  type Body,
  type Contract,
  type ContractCall,
  type Json,
  listAt,
  memberAt,
  type Retirement,
  textAt,
  type Values,
} from "./vendors/contract.ts";
import { parseVendorSettings, type VendorSettings } from "./vendors/settings.ts";

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
    ...(reuseRevokes !== undefined && { reuseRevokes }),
    ...(whenLost !== undefined && { whenLost }),
    mint: (request) => mint(vendor, request),
    discard: (request) => discard(vendor, request),
    test: (fields, request) => test(vendor, fields, request),
    retire: (old, request) => retire(vendor, old, request),
  };
}

interface Vendor {
  readonly options: TargetOptions;
  readonly settings: VendorSettings;
  readonly contract: Contract;
}

/** Pages of a list that are looked at: more keys than any account may have. */
const MOST_PAGES = 50;

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

async function named(vendor: Vendor, { list }: Retirement, request: RotationRequest): Promise<string[]> {
  const { name } = valuesOf(vendor, request, "");
  const found: string[] = [];
  let query: Readonly<Record<string, string>> | undefined = {};
  for (let page = 0; query !== undefined && page < MOST_PAGES; page += 1) {
    // Each page says where the next one is.
    const json: Json = await asManager(vendor, list, { query }, request);
    const ours = listAt(json, list.items).filter(
      (item) => memberAt(item, list.name) === name || textAt(item, list.name) === name,
    );
    found.push(...ours.flatMap((item) => textAt(item, list.id) ?? []));
    query = list.next?.(json);
  }
  return found;
}

async function end(vendor: Vendor, { call }: Retirement, id: string, request: RotationRequest): Promise<void> {
  await asManager(vendor, call, { id, gone: true }, request);
}

/** @throws UserError target-refused where nobody can tell which key it is */
async function idOf(
  vendor: Vendor,
  retirement: Retirement,
  credential: Fields,
  request: RotationRequest,
): Promise<string> {
  const { contract, options } = vendor;
  const known = knownId(retirement, credential);
  if (known !== undefined) return known;
  const { ask } = retirement;
  const values = valuesOf(vendor, request, "");
  const reply = ask === undefined ? undefined : await sendAs(vendor, ask, { credential, values }, request);
  if (reply?.type === "none") throw unreachable(options.ref, `${contract.title}: ${reply.reason}`);
  const asked = ask === undefined ? undefined : textAt(reply?.json, ask.id);
  if (asked !== undefined) return asked;
  throw refused(
    options.ref,
    `${contract.title}: the id of the key is not known, so that it could not be ended afterwards`,
    `store it once: mcp-secrets set ${formatRef({ ...options.ref, field: "id" })}`,
  );
}

function knownId({ idOf: derive }: Retirement, credential: Fields): string | undefined {
  const id = credential["id"]?.expose() ?? derive?.(credential);
  return id === "" ? undefined : id;
}

interface Managed {
  readonly id?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** That it is gone is as good. */
  readonly gone?: boolean;
}

/** A request that can be repeated, in the name of whoever manages keys. */
async function asManager(vendor: Vendor, call: ContractCall, about: Managed, request: RotationRequest): Promise<Json> {
  const { contract, options } = vendor;
  const { id = "", query, gone = false } = about;
  const credential = await managerOf(vendor, call, request.current);
  const values = valuesOf(vendor, request, id);
  const reply = await sendAs(vendor, call, { credential, values, ...(query !== undefined && { query }) }, request);
  if (reply.type === "none") throw unreachable(options.ref, `${told(contract, call)}: ${reply.reason}`);
  if (reply.status < 300) return reply.json;
  if (gone && reply.status === 404) return undefined;
  throw no(options.ref, contract, call, reply.status);
}

interface As {
  readonly credential: Fields;
  readonly values: Values;
  readonly body?: Body;
  readonly query?: Readonly<Record<string, string>>;
}

function sendAs(
  { options, settings, contract }: Vendor,
  call: ContractCall,
  as: As,
  request: RotationRequest,
): Promise<Reply> {
  const { http } = options;
  const { endpoint, ca } = settings;
  const { deadline, signal } = request;
  const place = { ...(endpoint !== undefined && { endpoint }), ...(ca !== undefined && { ca }) };
  const { credential, values, body, query } = as;
  const path = fillPath(call.path, values, query);
  return send(
    { http, contract, ...place, deadline, signal },
    { call, credential, path, ...(body !== undefined && { body }) },
  );
}

/** Whose name a request is in: an administrator's, or the key's own. */
async function managerOf({ options, settings }: Vendor, call: ContractCall, own: Fields): Promise<Fields> {
  if (call.by === "itself" || settings.admin === undefined) return inContract(settings, own);
  return options.lookUp(settings.admin);
}

/** The value under the name that the contract has for it. */
function inContract({ field }: VendorSettings, fields: Fields): Fields {
  const value = fields[field];
  return value === undefined ? fields : { ...fields, value };
}

function valuesOf({ settings }: Vendor, { id: rotation }: RotationRequest, id: string): Values {
  return { ...settings.values, name: `mcp-secrets-${rotation}`, id };
}

function told(contract: Contract, call: ContractCall): string {
  return `${contract.title}: ${call.method} ${call.path}`;
}

function no(ref: SecretRef, contract: Contract, call: ContractCall, status: number) {
  const hint =
    status === 401 || status === 403 ? `the credential that asks needs: ${contract.right}` : `see ${contract.source}`;
  return refused(ref, `${told(contract, call)}: status ${status}`, hint);
}
