import { join } from "node:path";
import type { Files } from "../../src/core/files.ts";
import { UserError, systemCode } from "../../src/errors.ts";
import { AgeError } from "./age/error.ts";
import {
  type Identity,
  type Recipient,
  formatRecipient,
  generateIdentity,
  parseIdentities,
  parseRecipients,
} from "./age/keys.ts";

/** The keys of the store: `local/identity`, and more recipients in `local/recipients`. */
export interface Keyring {
  /** @throws UserError store-unavailable where there is none, or it cannot be read */
  identities(): readonly Identity[];
  /** Who can read what is written; makes the identity the first time. @throws UserError as `identities` */
  recipients(): Promise<readonly Recipient[]>;
}

export interface KeyringOptions {
  readonly files: Files;
  /** The folder of the store. */
  readonly folder: string;
  readonly now: () => number;
  /** True where something is stored already, which a new identity would not open. */
  readonly inUse: () => boolean;
}

/** Each file is read once. */
export function openKeyring({ files, folder, now, inUse }: KeyringOptions): Keyring {
  const identityFile = join(folder, "identity");
  const recipientsFile = join(folder, "recipients");
  let identities: readonly Identity[] | undefined;
  let recipients: Promise<readonly Recipient[]> | undefined;

  const load = () => (identities ??= readKeys(files, identityFile, parseIdentities));

  const required = () => {
    const found = load();
    if (found === undefined) throw lost(identityFile);
    return found;
  };

  async function makeIdentity(): Promise<readonly Identity[]> {
    // Looked at once more after the look for secrets: another process may just have made both.
    if (inUse() && load() === undefined) throw lost(identityFile);
    const { text, identity } = generateIdentity();
    await files.createPrivate(identityFile, identityText(text, identity, now()));
    return required();
  }

  async function gather(): Promise<readonly Recipient[]> {
    const [first] = load() ?? (await makeIdentity());
    const more = readKeys(files, recipientsFile, parseRecipients) ?? [];
    return first === undefined ? more : [first.recipient, ...more];
  }

  return {
    identities: required,
    async recipients() {
      recipients ??= gather();
      try {
        return await recipients;
      } catch (error) {
        recipients = undefined;
        throw error;
      }
    },
  };
}

/** As `age-keygen` writes it. */
function identityText(text: string, { recipient }: Identity, now: number): string {
  const created = new Date(now).toISOString().replace(/\.\d+/, "");
  return `# created: ${created}\n# public key: ${formatRecipient(recipient)}\n${text}\n`;
}

function readKeys<T>(files: Files, path: string, parse: (text: string) => T): T | undefined {
  try {
    const bytes = files.readIfExists(path);
    return bytes === undefined ? undefined : parse(bytes.toString("utf8"));
  } catch (error) {
    const reason = error instanceof AgeError ? error.message : systemCode(error);
    if (reason === undefined) throw error;
    throw new UserError("store-unavailable", `cannot read ${path}: ${reason}`, {
      hint: `mend ${path}, or put your copy of it back`,
      cause: error,
    });
  }
}

function lost(path: string): UserError {
  return new UserError("store-unavailable", `the key of the local store is gone: ${path}`, {
    hint: `put your copy of it back at ${path}: without it nobody can open the secrets that are stored`,
  });
}
