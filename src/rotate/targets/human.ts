import { isAddress } from "../../core/address.ts";
import type { Http, HttpAnswer, HttpFailure } from "../../core/http.ts";
import type { Fields } from "../../core/provider.ts";
import { DEFAULT_FIELD, formatRef, isSegment } from "../../core/ref.ts";
import type { Secret } from "../../core/secret.ts";
import { type SettingsReader, readSettingsAt } from "../../core/settings-reader.ts";
import type { HumanTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
import { type KeyCheck, type Vendor, VENDORS } from "./pages.ts";

/**
 * A person makes the new value in a browser (class H): this target says where, and asks the vendor whether the key is
 * known, where there is a harmless way to ask. What the old value can do ends by the person's hand.
 */
interface HumanSettings {
  readonly vendor?: Vendor;
  readonly page?: string;
  readonly steps: readonly string[];
  /** The fields that the person gives; the others of the secret stay. */
  readonly fields: readonly string[];
  readonly check?: KeyCheck;
}

/** @throws UserError config-invalid */
export function open({ settings: given, ref, http }: TargetOptions): HumanTarget {
  const settings = readHuman(formatRef(ref), given);
  return {
    class: "H",
    kind: "human",
    guide: ({ ref: secret }) => guideOf(settings, formatRef(secret)),
    test: (fields, request) => test({ settings, http }, fields, request),
    // By the person's hand.
    retire: (_old: Fields) => Promise.resolve(),
  };
}

interface Asker {
  readonly settings: HumanSettings;
  readonly http: Http;
}

/**
 * What the vendor says of the value; without a check, nobody is asked and the person's word counts. 403 is for a key that
 * is known and may not ask this. Whether it may do its own work only the current one tells: where that gets more, the
 * new one was made with less.
 */
async function test(asker: Asker, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const { check, fields: names } = asker.settings;
  if (check === undefined) return { type: "valid" };
  const name = names[0] ?? DEFAULT_FIELD;
  const [value, current] = [fields[name], request.current[name]];
  if (value === undefined) return { type: "rejected" };
  const own = await ask(asker, check, value, request);
  if (own !== "known") return own;
  if (current === undefined || current.equals(value)) return { type: "valid" };
  const old = await ask(asker, check, current, request);
  // One that is dead already has nothing to be compared with.
  if (old === "known" || old.type === "rejected") return { type: "valid" };
  return old.type === "valid" ? { type: "lacking", missing: [`GET ${check.url}`] } : old;
}

/** `known`: it may not ask this. */
async function ask(
  { http }: Asker,
  { url, header, prefix, headers }: KeyCheck,
  value: Secret,
  { deadline, signal }: RotationRequest,
): Promise<Verdict | "known"> {
  return verdictOf(
    await http({
      method: "GET",
      url,
      headers: { accept: "application/json", ...headers, [header]: `${prefix}${value.expose()}` },
      deadline,
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

/** The fields that a person is asked for. @throws UserError config-invalid */
export function askedFields(reference: string, settings: unknown): readonly string[] {
  return readHuman(reference, settings).fields;
}

/** True where the vendor can be asked whether it knows a value. @throws UserError config-invalid */
export function canTest(reference: string, settings: unknown): boolean {
  return readHuman(reference, settings).check !== undefined;
}

function readHuman(reference: string, given: unknown): HumanSettings {
  return readSettingsAt(`rotation.${reference}`, given, (settings) => {
    const name = settings.choice("vendor", Object.keys(VENDORS));
    const vendor = name === undefined ? undefined : VENDORS[name];
    const page = settings.text("page", isPage) ?? vendor?.page;
    const check = settings.group("check", readCheck) ?? vendor?.check;
    return {
      ...(vendor === undefined ? {} : { vendor }),
      ...(page === undefined ? {} : { page }),
      ...(check === undefined ? {} : { check }),
      steps: settings.has("steps") ? settings.texts("steps", isLine) : [],
      fields: settings.has("fields") ? settings.texts("fields", isSegment) : [DEFAULT_FIELD],
    };
  });
}

function readCheck(reader: SettingsReader): KeyCheck {
  return {
    url: reader.required("url", isCall),
    header: (reader.text("header", (text) => /^[A-Za-z0-9-]+$/.test(text)) ?? "authorization").toLowerCase(),
    prefix: reader.text("prefix", (text) => /^[\x20-\x7e]*$/.test(text)) ?? (reader.has("header") ? "" : "Bearer "),
    headers: reader.strings("headers") ?? {},
  };
}

/** Line by line what a person does, in the order in which nothing breaks. */
function guideOf({ vendor, page, steps }: HumanSettings, reference: string): ReturnType<HumanTarget["guide"]> {
  const where = vendor === undefined ? "where the value was issued" : `at ${vendor.name}`;
  const own = steps.length > 0 ? steps : [`${where}: ${vendor?.how ?? "make a new value with the same rights"}`];
  const after = [
    "leave the old one as it is for now",
    `mcp-secrets rotate ${reference} asks for the new one, tests it where it can, and stores it`,
    "restart what it names",
    `revoke the old one ${where}, look that nothing fails, then mcp-secrets rotate ${reference} --retired`,
  ];
  return { ...(page === undefined ? {} : { page }), steps: [...own, ...after] };
}

function verdictOf(answer: HttpAnswer | HttpFailure): Verdict | "known" {
  if (answer.type === "failure") return { type: "unreachable", reason: answer.reason };
  const { status } = answer;
  if (status === 401) return { type: "rejected" };
  if (status === 403) return "known";
  if (status >= 200 && status < 300) return { type: "valid" };
  return { type: "unreachable", reason: `it answered with ${status}` };
}

function isPage(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === "https:" && new URL(text).username === "";
}

/** https, or http to this machine, where a service of one's own may answer. */
function isCall(text: string): boolean {
  return URL.canParse(text) && new URL(text).username === "" && isAddress(new URL(text).origin);
}

function isLine(text: string): boolean {
  return /^[^\p{C}]{1,300}$/u.test(text);
}
