import { isAddress } from "../../../core/address.ts";
import { DEFAULT_FIELD, formatRef, isSegment, type SecretRef } from "../../../core/ref.ts";
import { readSettingsAt, type SettingsReader } from "../../../core/settings-reader.ts";
import type { TargetOptions } from "../../target.ts";
import { readAdmin } from "../login.ts";
import type { Contract } from "./contract.ts";
import { CONTRACTS } from "./table.ts";

export interface VendorSettings {
  readonly contract: Contract;
  /** In place of the vendor's own host: an instance of one's own. Origin. */
  readonly endpoint?: string;
  /** PEM. */
  readonly ca?: string;
  /** The secret whose fields may make and end keys. */
  readonly admin?: SecretRef;
  /** The field of the secret that holds the key. */
  readonly field: string;
  /** Days that a new key shall live. */
  readonly days?: number;
  /** What the new key may do, and what it is tested for. */
  readonly scopes: readonly string[];
  /** A path to ask with the key, in place of the contract's. */
  readonly test?: string;
  readonly values: Readonly<Record<string, string>>;
}

/** @throws UserError config-invalid */
export function parseVendorSettings({ settings: given, ref, readFile }: TargetOptions): VendorSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, given, (settings) => {
    const contract = contractOf(settings);
    const endpoint = settings.text("endpoint", isAddress);
    const caFile = settings.text("caFile");
    const admin = adminOf(settings, contract);
    const days = daysOf(settings, contract);
    const test = contract.test.body === undefined ? settings.text("test", isTestPath) : undefined;
    return {
      contract,
      field: ("value" in contract.fields ? settings.text("field", isSegment) : undefined) ?? DEFAULT_FIELD,
      scopes: scopesOf(settings, contract),
      values: valuesOf(settings, contract),
      ...(endpoint !== undefined && { endpoint }),
      ...(caFile !== undefined && { ca: Buffer.from(readFile(caFile)).toString("utf8") }),
      ...(admin !== undefined && { admin }),
      ...(days !== undefined && { days }),
      ...(test !== undefined && { test }),
    };
  });
}

function valuesOf(settings: SettingsReader, contract: Contract): Readonly<Record<string, string>> {
  const needed = Object.entries(contract.settings);
  return Object.fromEntries(
    needed.map(([name, form]) => [name, settings.required(name, (text) => form.test(text))] as const),
  );
}

function contractOf(settings: SettingsReader): Contract {
  const name = settings.choice("vendor", Object.keys(CONTRACTS)) ?? settings.fail("vendor", "is missing");
  return CONTRACTS[name] ?? settings.fail("vendor", "is not known");
}

function adminOf(settings: SettingsReader, { manager }: Contract): SecretRef | undefined {
  if (manager === "itself") return undefined;
  if (manager === "admin") settings.required("admin");
  return readAdmin(settings);
}

function daysOf(settings: SettingsReader, { expiry }: Contract): number | undefined {
  return expiry === undefined ? undefined : (settings.number("days", 1, expiry.most) ?? expiry.days);
}

function scopesOf(settings: SettingsReader, { scopes, rights }: Contract): readonly string[] {
  if (scopes === undefined && rights === undefined) return [];
  if (scopes !== "must" && !settings.has("scopes")) return [];
  return settings.texts("scopes", (text) => /^[\x21-\x7e]{1,100}$/.test(text));
}

/** A path of the same host, for a key that may not ask what the contract asks. */
function isTestPath(text: string): boolean {
  return /^\/[\x21-\x7e]*$/.test(text) && !text.startsWith("//");
}
