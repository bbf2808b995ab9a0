import type { Http } from "../core/http.ts";
import type { Fields, NativeRotation } from "../core/provider.ts";
import type { SecretRef } from "../core/ref.ts";

/**
 * The system in which a rotated secret is valid. A target knows how to ask its system; when, and what follows from the
 * answer, is the state machine's.
 *
 * O: old and new overlap until the old one is retired. X: issuing the new one ends the old one at once. E: nothing is
 * kept, each launch gets its own. H: a person at a dashboard makes the new one.
 */
export type RotationClass = "O" | "X" | "E" | "H";

/** What a login on a fresh connection told. Unreachable is never read as invalid. */
export type Verdict =
  | { readonly type: "valid" }
  /** The system was reached, and does not take the credential. */
  | { readonly type: "rejected" }
  /** It logs in, and may not do what the old one may. */
  | { readonly type: "lacking"; readonly missing: readonly string[] }
  | { readonly type: "unreachable"; readonly reason: string };

/** One rotation, as a target sees it. A resumed rotation has the same id and the same candidate. */
export interface RotationRequest {
  /** Fixed for the rotation, `[a-z0-9]{26}`: the name or tag of what is made for it at the issuer. */
  readonly id: string;
  readonly ref: SecretRef;
  /** What is valid now. */
  readonly current: Fields;
  /** What was valid before that, where the store still has it. */
  readonly previous?: Fields;
  /** When the answer is too late, in milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** Told of a program that makes something, before it can begin: the journal then knows it. Where it fails, so does the call. */
  readonly started?: (pid: number) => Promise<void>;
}

interface Common {
  /**
   * How long the system may need until all of it knows a new value, in milliseconds: before that, a rejection of the new
   * one is not believed, and it is tested again. 0 where absent.
   */
  readonly settling?: number;
  /** `retire` leaves the old value as it is: it works until the next rotation is promoted (users that take turns). */
  readonly keepsOld?: true;
  /** How long one call may take, in milliseconds, where the target knows better. */
  readonly callTime?: number;
  /**
   * Logs in with `fields` on a connection of its own and looks for the rights that `current` has. Never throws for what
   * the system answers; at most one login a call, for some systems lock an account after a few wrong ones.
   */
  test(fields: Fields, request: RotationRequest): Promise<Verdict>;
  /**
   * Ends what `old` could do, where it still can; done already is success. `request.current` is what takes its place: a
   * system that asks for a credential is given that one. A target whose old value goes on until the
   * next rotation (alternating users) does nothing.
   * @throws UserError target-unreachable, or target-refused where the credential for it may not
   */
  retire(old: Fields, request: RotationRequest): Promise<void>;
}

/** We make the value, and the system takes it. Putting the same value again changes nothing. */
export interface SetTarget extends Common {
  readonly class: "O" | "X";
  readonly kind: "set";
  /** The candidate: made without asking anybody, with every field of the secret. */
  propose(request: Omit<RotationRequest, "signal">): Fields;
  /**
   * Makes `fields` valid. For class X it ends the current one; called with the current fields it puts them back, for
   * either class, and `previous` is then the candidate that came to nothing: the one that may still log in. It is
   * retired after that.
   * @throws UserError target-unreachable where nothing is known to have changed, target-refused
   */
  set(fields: Fields, request: RotationRequest): Promise<void>;
}

/** The system makes the value and shows it once. */
export interface MintTarget extends Common {
  readonly class: "O" | "X";
  readonly kind: "mint";
  /** Class X: the issuer ends the new value too when the old one is presented after a mint. Then it never is again. */
  readonly reuseRevokes?: true;
  /** Class X: what a person does where the answer of a mint was lost. */
  readonly whenLost?: string;
  /**
   * Makes a new value, named after `request.id`. For class X it is called once in a rotation, whatever happens.
   * @throws UserError target-unreachable where surely nothing was made, target-lost where the answer did not come and
   * nobody knows, target-refused
   */
  mint(request: RotationRequest): Promise<Fields>;
  /**
   * Class O: takes away what an earlier `mint` of this rotation made and nobody has the value of, and at the end what
   * came to nothing; only what bears its id. Nothing there is success.
   */
  discard(request: RotationRequest): Promise<void>;
}

/** A person makes the value. */
export interface HumanTarget extends Common {
  readonly class: "H";
  readonly kind: "human";
  /** Where, and what to do there, line by line. */
  guide(request: Pick<RotationRequest, "ref">): { readonly page?: string; readonly steps: readonly string[] };
}

/**
 * The secret's own store makes the value, puts it into force and keeps it: an AWS rotation function, a static role of
 * Vault. There is no candidate and no stage of ours; the store's own record is the journal.
 */
export interface NativeTarget extends NativeRotation {
  readonly kind: "native";
}

export type Target = SetTarget | MintTarget | HumanTarget | NativeTarget;

/** What a target gets from outside. */
export interface TargetOptions {
  /** Its settings in `config.jsonc`, as parsed, without the name of the target. Read strictly. */
  readonly settings: unknown;
  /** The secret that is rotated, for messages. */
  readonly ref: SecretRef;
  /** The current value was in plaintext: where it can be ended in this rotation it is, whatever the settings say. */
  readonly exposed?: boolean;
  /** Every field of another secret: an administrator's credential. */
  readonly lookUp: (ref: SecretRef) => Promise<Fields>;
  readonly now: () => number;
  /** `count` unpredictable bytes. */
  readonly random: (count: number) => Uint8Array;
  /** The way to an issuer that is met over HTTP. */
  readonly http: Http;
  /** A file of the user's: a certificate authority. `~` is the user's home. @throws UserError config-invalid */
  readonly readFile: (path: string) => Uint8Array;
  /** What the secret's own store can do by itself; undefined where it cannot. For the target `native`. */
  readonly native: NativeRotation | undefined;
  /** For the target `command`: runs a program of the user's, and tells what a path holds that is to be run. */
  readonly converse?: Converse;
  readonly probe?: (path: string) => "program" | "other" | undefined;
}

/** What a program said, and how it ended. */
export interface Conversation {
  readonly stdout: string;
  /** undefined where it was killed or took too long. */
  readonly exit: number | undefined;
  /** It could not be started. */
  readonly missing?: true;
}

/**
 * Runs a program without a shell, with `input` on its stdin and no more of our environment than any program needs, and
 * returns what it said. Never throws for how it ended; `exit` is undefined where it was killed or took too long, and with
 * `missing` it could not be started.
 */
export type Converse = (
  program: string,
  args: readonly string[],
  options: {
    readonly input: string;
    /** Milliseconds. */
    readonly timeout: number;
    readonly env: Readonly<Record<string, string>>;
    /** Told its process before it gets its input; without any it is ended where that fails. */
    readonly started?: (pid: number) => Promise<void>;
  },
) => Promise<Conversation>;

/** What each file in `targets/` exports; loaded only for a secret that names it. */
export interface TargetModule {
  /** @throws UserError config-invalid */
  open(options: TargetOptions): Target;
  /** Loads what it needs, before anything is begun. @throws UserError config-unsupported where that is not installed */
  ready?(): Promise<unknown>;
}
