import type { Fields } from "../../../core/provider.ts";
import type { Verdict } from "../../target.ts";

/** JSON that nobody vouches for. */
export type Json = unknown;

/** What a request is made of: settings of the row by name, and what the rotation knows. All are safe in a path. */
export interface Values {
  readonly [name: string]: string;
  /** What a key that is made is named: it bears the id of the rotation. */
  readonly name: string;
  /** The id of the key that is asked about, where the request is about one. */
  readonly id: string;
}

/** One request of a contract. `{NAME}` in the path stands for a value, percent-encoded. */
export interface ContractCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Without the origin. */
  readonly path: string;
  /** In whose name: of the credential that is asked about itself, or of the one that manages others. */
  readonly by: "itself" | "manager";
  /** Another of the vendor's hosts than `origin`. */
  readonly origin?: string;
  readonly body?: (given: BodyParts) => Body;
  /** Headers in place of `auth`. */
  readonly headers?: (credential: Fields) => Readonly<Record<string, string>>;
}

export interface BodyParts {
  readonly values: Values;
  readonly credential: Fields;
  /** When a new key is to end; undefined where it shall not. */
  readonly expires: Date | undefined;
  readonly now: Date;
  readonly scopes: readonly string[];
  /** What `like` answered. */
  readonly like: Json;
}

export type Body =
  | { readonly type: "json"; readonly value: Readonly<Record<string, Json>> }
  | { readonly type: "form"; readonly value: Readonly<Record<string, string>> };

/** Where something is in an answer. */
export type Place = readonly string[];

/** What a vendor's documentation says of one kind of key. Everything that is particular to it stands here. */
export interface Contract {
  readonly title: string;
  readonly class: "O" | "X";
  /** Where the vendor documents it. */
  readonly source: string;
  /** The least right of the credential that mints. */
  readonly right: string;
  /** The default for the setting `endpoint`. */
  readonly origin: string;
  /** Settings that the paths need, each with what it may look like. */
  readonly settings: Readonly<Record<string, RegExp>>;
  /** Whether the key mints its own successor, or another credential does: the setting `admin`. */
  readonly manager: "itself" | "admin" | "either";
  readonly auth: (credential: Fields) => Readonly<Record<string, string>>;
  /** Days that a new key lives: what is asked for where the settings say nothing, and the most that is taken. */
  readonly expiry?: { readonly days?: number; readonly most: number };
  /** True where the settings may, or must, say what the new key may do. */
  readonly scopes?: "may" | "must";
  /** What is read of the old key before, so that the new one is made like it. */
  readonly like?: ContractCall;
  readonly mint: ContractCall;
  /** Fields of the secret, and where each is in the answer to `mint`. */
  readonly fields: Readonly<Record<string, Place>>;
  /** What is wrong, where a status of 200 does not mean that all is well. */
  readonly failed?: (answer: Json) => Failed | undefined;
  readonly test: ContractCall;
  /** In place of: 2xx valid, 401 rejected, 403 lacking, else unreachable. undefined leaves it to that. */
  readonly judge?: (status: number, answer: Json) => Verdict | undefined;
  /** Where the answer to `test` lists what the key may do. */
  readonly rights?: Place;
  readonly retire?: Retirement;
  /** Class X: presenting the old one after a mint does harm. */
  readonly reuseRevokes?: true;
  /** Class X: what a person does where the answer to a mint is lost. */
  readonly whenLost?: string;
}

/** What a vendor says went wrong; `maybe` where the new key may have been made all the same. */
export interface Failed {
  readonly what: string;
  readonly maybe: boolean;
}

/** Class O: how a key is ended, and found by its name. */
export interface Retirement {
  readonly call: ContractCall;
  /** Where the id of a key comes from that was stored without: from the value, or from asking with it. */
  readonly idOf?: (credential: Fields) => string | undefined;
  readonly ask?: ContractCall & { readonly id: Place };
  readonly list: ContractCall & {
    readonly items: Place;
    readonly id: Place;
    readonly name: Place;
    /** The query for the page after this one. */
    readonly next?: (answer: Json) => Readonly<Record<string, string>> | undefined;
  };
}

/** The member at `place`; undefined where there is none. Only own members are looked at. */
export function memberAt(value: Json, place: Place): Json {
  let at = value;
  for (const name of place) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = Reflect.get(at, name);
  }
  return at;
}

/** A text, or a number as text: ids are either. */
export function textAt(value: Json, place: Place): string | undefined {
  const found = memberAt(value, place);
  if (typeof found === "number" && Number.isSafeInteger(found)) return String(found);
  return typeof found === "string" && found !== "" ? found : undefined;
}

export function listAt(value: Json, place: Place): readonly Json[] {
  const found = memberAt(value, place);
  return Array.isArray(found) ? found : [];
}
