import type { Files } from "./files.ts";
import type { Lock } from "./lock.ts";
import type { SecretRef } from "./ref.ts";
import type { Secret } from "./secret.ts";

/** A kind of store. */
export type ProviderName = "local";

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
}

/** A credential with an end. */
export interface Lease {
  readonly id: string;
  readonly ref: SecretRef;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly renewable: boolean;
}

export interface ResolvedSecret {
  readonly ref: SecretRef;
  readonly value: Secret;
  readonly version?: number;
  readonly lease?: Lease;
}

/** The fields of one secret, by name. */
export type Fields = Readonly<Record<string, Secret>>;

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

/**
 * The code behind a kind of store. Having the method is the capability.
 * References that reach it name its own store; those of one path are read once.
 */
export interface Provider {
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
  put?(path: string, fields: Fields, condition: { readonly ifVersion: number }): Promise<number>;
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
  /** Removes every version. @throws UserError secret-not-found */
  remove?(path: string): Promise<void>;
  renew?(lease: Lease, request: ResolveRequest): Promise<Lease>;
  revoke?(lease: Lease, request: ResolveRequest): Promise<void>;
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
}

/** What a provider's folder exports. */
export interface ProviderModule {
  open(options: ProviderOptions): Provider;
}
