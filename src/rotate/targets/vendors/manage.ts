import type { Fields } from "../../../core/provider.ts";
import { formatRef, type SecretRef } from "../../../core/ref.ts";
import type { RotationRequest, TargetOptions } from "../../target.ts";
import { refused, unreachable } from "../failure.ts";
import { fillPath, type Reply, send } from "./ask.ts";
import {
  type Body,
  type Contract,
  type ContractCall,
  type Json,
  listAt,
  type Retirement,
  textAt,
  type Values,
} from "./contract.ts";
import type { VendorSettings } from "./settings.ts";

/** A contract with the settings of one secret: what keys there are, and how they are ended. */
export interface Vendor {
  readonly options: TargetOptions;
  readonly settings: VendorSettings;
  readonly contract: Contract;
}

/** Pages of a list that are looked at: more keys than any account may have. */
const MOST_PAGES = 50;

/** Ids of the keys that bear the name of this rotation: no other has it. */
export async function named(vendor: Vendor, { list }: Retirement, request: RotationRequest): Promise<string[]> {
  const { name } = valuesOf(vendor, request, "");
  const found: string[] = [];
  let query: Readonly<Record<string, string>> | undefined = {};
  for (let page = 0; query !== undefined && page < MOST_PAGES; page += 1) {
    // Each page says where the next one is.
    const json: Json = await asManager(vendor, list, { query }, request);
    const ours = listAt(json, list.items).filter((item) => textAt(item, list.name) === name);
    found.push(...ours.flatMap((item) => textAt(item, list.id) ?? []));
    query = list.next?.(json);
  }
  return found;
}

export async function end(vendor: Vendor, { call }: Retirement, id: string, request: RotationRequest): Promise<void> {
  await asManager(vendor, call, { id, gone: true }, request);
}

/** @throws UserError target-refused where nobody can tell which key it is */
export async function idOf(
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

export function knownId({ idOf: derive }: Retirement, credential: Fields): string | undefined {
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
export async function asManager(
  vendor: Vendor,
  call: ContractCall,
  about: Managed,
  request: RotationRequest,
): Promise<Json> {
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

export function sendAs(
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
export async function managerOf({ options, settings }: Vendor, call: ContractCall, own: Fields): Promise<Fields> {
  if (call.by === "itself" || settings.admin === undefined) return inContract(settings, own);
  return options.lookUp(settings.admin);
}

/** The value under the name that the contract has for it. */
export function inContract({ field }: VendorSettings, fields: Fields): Fields {
  const value = fields[field];
  return value === undefined ? fields : { ...fields, value };
}

export function valuesOf({ settings }: Vendor, { id: rotation }: RotationRequest, id: string): Values {
  return { ...settings.values, name: `mcp-secrets-${rotation}`, id };
}

export function told(contract: Contract, call: ContractCall): string {
  return `${contract.title}: ${call.method} ${call.path}`;
}

export function no(ref: SecretRef, contract: Contract, call: ContractCall, status: number) {
  const hint =
    status === 401 || status === 403 ? `the credential that asks needs: ${contract.right}` : `see ${contract.source}`;
  return refused(ref, `${told(contract, call)}: status ${status}`, hint);
}
