import type { Files } from "./files.ts";
import type { Http } from "./http.ts";
import type { Lock } from "./lock.ts";
import type { SecretRef } from "./ref.ts";
import type { Seal } from "./seal.ts";
import type { Secret } from "./secret.ts";
import type { Threads } from "./threads.ts";

/** A kind of store. */
export type ProviderName = "local" | "vault" | "aws" | "github-app";

/** One `run`: who asks for secrets, for the audit log and for scoped credentials. */
export interface LaunchIdentity {
  /** Random, unique to this launch. */
  readonly id: string;
  /** `CLIENT/SERVER` of the entry. */
  readonly entry: string;
}

export interface ResolveRequest {
  readonly launch?: LaunchIdentity;
  /** When the answer is too late, in milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** Of a scope that is asked for: everything that will be read with it, where that is known. */
  readonly refs?: readonly SecretRef[];
}

/** A credential with an end. */
export interface Lease {
  readonly id: string;
  readonly ref: SecretRef;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** What the issuer gave when it was made, in milliseconds: what a renewal asks for again. */
  readonly duration: number;
  readonly renewable: boolean;
}

/**
 * The identity that one launch has at a store: a child token, an assumed role. Everything read with it ends with it.
 * `id` names it to the store without being it (an accessor): it may be written down.
 */
export interface LaunchCredential {
  readonly id: string;
  readonly expiresAt: number;
  readonly duration: number;
  /** When it ends whatever is renewed; Infinity where the store names no end. */
  readonly endsAt: number;
  readonly renewable: boolean;
}

/** Called, and waited for, before and after a store is asked for something that must be given back. */
export interface LeaseJournal {
  /**
   * A credential for the launch is about to be made. `brief` where it ends by itself within two seconds, so that nobody
   * need stand by to end it.
   */
  intent(brief?: boolean): Promise<void>;
  made(credential: LaunchCredential): Promise<void>;
  leased(lease: Lease): Promise<void>;
  /** Somebody asked for what is this launch's alone, and did not get it. */
  refused?(what: string): void;
}

/** What could not be given back; empty where all is gone. */
export interface Remains {
  /** Ids of leases. */
  readonly leases: readonly string[];
  /** Ids of launch credentials. */
  readonly credentials: readonly string[];
}

/** A provider that is narrowed to one launch. */
export interface LaunchScope {
  /** Absent where the store gives launches none of their own. */
  readonly credential: LaunchCredential | undefined;
  resolve(refs: readonly SecretRef[], request: ResolveRequest): Promise<readonly ResolvedSecret[]>;
  /** Longer life for a lease; the answer tells what was given. */
  renew(lease: Lease, request: ResolveRequest): Promise<Lease>;
  /** Longer life for the launch's own credential. */
  extend(request: ResolveRequest): Promise<LaunchCredential | undefined>;
  /** Gives back every lease and then the credential; never throws. */
  end(leases: readonly Lease[], request: ResolveRequest): Promise<Remains>;
}

export interface ResolvedSecret {
  readonly ref: SecretRef;
  readonly value: Secret;
  readonly version?: number;
  readonly lease?: Lease;
  /** Set where the store did not answer and a copy was used: when that was read, in milliseconds since the epoch. */
  readonly staleSince?: number;
}

/** The fields of one secret, by name. */
export type Fields = Readonly<Record<string, Secret>>;

/** Where a secret was found: for stores that keep such a note beside it. */
export interface SecretOrigin {
  readonly client?: string;
  readonly server?: string;
}

/** A secret that is to be stored under a path that is not there yet. */
export interface NewSecret {
  readonly path: string;
  readonly fields: Fields;
  readonly origin?: SecretOrigin;
}

/** What may be told of a secret without its value. `path` has no store name. */
export interface SecretSummary {
  readonly path: string;
  readonly fields: readonly string[];
  /** The version that stage `current` points at. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
  /** Why it cannot be read, without any value; it then has no fields, and version and time 0. */
  readonly problem?: string;
}

/** One field of the current version of a secret. */
export interface StoredValue {
  readonly path: string;
  readonly field: string;
  readonly value: Secret;
}

/** One version of a secret. */
export interface WholeSecret {
  readonly fields: Fields;
  readonly version: number;
}

/**
 * The code behind a kind of store. Having the method is the capability.
 * References that reach it name its own store; those of one path are read once.
 */
export interface Provider {
  /** What the paths of new secrets begin with, where a path cannot begin with anything. */
  readonly folder?: string;
  /**
   * One answer for each reference, in order.
   * @throws UserError secret-not-found, secret-corrupt, store-unavailable or store-locked, naming the reference
   */
  resolve(refs: readonly SecretRef[], request: ResolveRequest): Promise<readonly ResolvedSecret[]>;
  /**
   * Stores `fields` as the next version of `path` and returns its number, once it is durable.
   * `ifVersion` is the version that must be current for the write to happen; 0 means that the path must not exist.
   * @throws UserError secret-exists where another version is current, cannot-write where the system refuses
   */
  put?(
    path: string,
    fields: Fields,
    condition: { readonly ifVersion: number; readonly origin?: SecretOrigin },
  ): Promise<number>;
  /**
   * A `put` of each secret with `ifVersion` 0, where the store does many faster than one after another: a path that
   * exists is left as it is. `done` is called with the path of each, and whether it is `made` now.
   * @throws UserError cannot-write where the system refuses one; others may be stored
   */
  putAll?(secrets: readonly NewSecret[], done: (path: string, made: boolean) => void): Promise<void>;
  /** Every secret of the store, in the order of their paths. */
  list?(): Promise<readonly SecretSummary[]>;
  /**
   * Every field of every secret, so that a value found again gets the reference that exists. A secret that cannot be
   * read is left out.
   * @throws UserError store-unavailable or store-locked where none can be read
   */
  readAll?(): Promise<readonly StoredValue[]>;
  /** The summary of one secret, or undefined where the path does not exist. */
  describe?(path: string): Promise<SecretSummary | undefined>;
  /**
   * Every field of the current version, from one read, or undefined where the path does not exist.
   * @throws UserError as `resolve`; secret-deleted where it did, and may be brought back
   */
  read?(path: string, request: ResolveRequest): Promise<WholeSecret | undefined>;
  /**
   * Before anything relies on what the store keeps of `path`.
   * @throws UserError refused where it may drop versions by itself, or cannot compare and swap
   */
  checkRetention?(path: string, request: ResolveRequest): Promise<void>;
  /** Removes every version. @throws UserError secret-not-found */
  remove?(path: string): Promise<void>;
  /** A credential of its own for one launch, and the provider that reads with it. */
  scope?(launch: LaunchIdentity, request: ResolveRequest, journal: LeaseJournal): Promise<LaunchScope>;
  /** Gives back what a launch that is gone has left; what is gone already is no error. Never throws. */
  reap?(remains: Remains, request: ResolveRequest): Promise<Remains>;
  /**
   * The rotation that the store does itself for what lies at `path`, with nothing asked yet. `settings` are those of the
   * target `native`, read strictly.
   * @throws UserError config-invalid, or refused where there is none at that path
   */
  rotation?(path: string, settings: unknown): NativeRotation;
  /** The least rights that a server needs for `refs`, in the store's own language. */
  policyFor?(server: string, refs: readonly SecretRef[]): string;
  /** What is wrong with the store as it is set up; each with what to do about it. */
  check?(request: ResolveRequest): Promise<readonly Finding[]>;
  /** Closes connections. */
  close?(): void;
}

/** A rotation that a store does itself. */
export interface NativeRotation {
  /** As of a target: X where a server that runs may lose its login at that moment, E where nothing is kept. */
  readonly class: "O" | "X" | "E";
  /** True where the old value may go on, for all that the store tells. */
  readonly mayKeepOld?: true;
  /** Whether one is under way, and when the last one was done. Changes nothing. */
  status(request: ResolveRequest): Promise<NativeStatus>;
  /**
   * Asks for a rotation now, named `id` where the store takes names; asking again for the same `id` starts no other one
   * where the store can tell. The answer is the status after that: `running` where it goes on by itself.
   * @throws UserError refused where it is not allowed by its settings or not set up, and as the store does
   */
  rotate(id: string, request: ResolveRequest): Promise<NativeStatus>;
}

export type NativeStatus =
  /** Times are milliseconds since the epoch; absent where the store does not tell. */
  | { readonly type: "idle"; readonly rotatedAt?: number; readonly nextAt?: number }
  | { readonly type: "running"; readonly what: string }
  /** It does not go on by itself: a person must look. */
  | { readonly type: "stuck"; readonly what: string; readonly hint: string };

/** One line of `store check`. */
export interface Finding {
  readonly ok: boolean;
  readonly what: string;
  /** What would mend it: a command, or the text of a policy. */
  readonly remedy?: string;
}

/** What a provider gets from outside: nothing else of the process is its business. */
export interface ProviderOptions {
  /** The store's name in references and messages. */
  readonly store: string;
  /** The folder of `mcp-secrets`, absolute. */
  readonly home: string;
  readonly files: Files;
  readonly lock: Lock;
  readonly now: () => number;
  /** For work on many secrets. */
  readonly threads?: Threads;
}

/** What a provider that is configured gets beside that. */
export interface StoreOptions extends ProviderOptions {
  /** The store's entry in `config.jsonc`, as it was parsed from JSON, without the name of its provider. */
  readonly settings: unknown;
  /** What `~` stands for. */
  readonly userHome: string;
  readonly platform: NodeJS.Platform;
  /** The machine's name, for the store's audit log. */
  readonly host: string;
  /** A number in [0, 1). */
  readonly chance: () => number;
  /** Resolves a reference to a store that needs no login: a bootstrap password kept in the local one. */
  readonly lookUp: (ref: SecretRef) => Promise<{ readonly value: Secret; readonly version?: number }>;
  readonly http: Http;
  /** The key of the local store, for what must be kept on this machine and not be read. */
  readonly openSeal: () => Promise<Seal>;
}

/** What a provider's folder exports. */
export interface ProviderModule {
  open(options: StoreOptions): Provider | Promise<Provider>;
}
