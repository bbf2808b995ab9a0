import type { Files } from "../core/files.ts";
import type { Owner, OwnerState } from "../core/owner.ts";
import type { Fields, Provider } from "../core/provider.ts";
import type { SecretRef } from "../core/ref.ts";
import type { Seal } from "../core/seal.ts";
import type { Phase } from "./state.ts";
import type { HumanTarget, Target } from "./target.ts";

/** What is to be rotated, and by which rules. */
export interface RotationPlan {
  /** The whole secret: without a field. */
  readonly ref: SecretRef;
  /** The target's name, for the journal. */
  readonly targetName: string;
  /** How long the old value lives on after promotion while somebody holds it, or may, in milliseconds. */
  readonly grace: number;
  /** The slot of the schedule; a rotation that was done for the same slot is not done again. Absent by hand. */
  readonly slot?: string;
  /** Only go on with the rotation of this id: where it is over, nothing is begun. */
  readonly resume?: string;
}

export interface RotationOptions {
  /** The store of the secret. */
  readonly provider: Provider;
  readonly target: Target;
  readonly home: string;
  readonly files: Files;
  /** Seals what must not be lost on its way to the store. */
  readonly openSeal: () => Promise<Seal>;
  /** This process, or a program that it has started. */
  readonly owner: (pid?: number) => Owner;
  readonly stateOf: (owner: Owner) => OwnerState;
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 96 random bits as 24 hexadecimal digits. */
  readonly random: () => string;
  /**
   * Who holds a version of the secret before `newest`: entries of launches that run. undefined where that cannot be
   * known, as for a store that other machines use: then the whole grace is waited for.
   */
  readonly holders: (newest: number) => readonly string[] | undefined;
  /** Class H: asks the person for the new value; undefined where nobody gave one. */
  readonly ask?: (guide: ReturnType<HumanTarget["guide"]>) => Promise<Fields | undefined>;
  /** Told each time the journal was written. */
  readonly progress?: (phase: Phase) => void;
  readonly signal?: AbortSignal;
  /** How long others keep out after each write of the journal, in milliseconds; 120,000 where absent. */
  readonly claimTime?: number;
  /** For one call of the target or the store, in milliseconds; 30,000 where absent. A target may say it for its own. */
  readonly callTime?: number;
}
