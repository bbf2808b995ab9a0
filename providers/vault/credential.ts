import type { StoreOptions } from "../../src/core/provider.ts";
import { join } from "node:path";
import type { FileIdentity } from "../../src/core/files.ts";
import { Secret } from "../../src/core/secret.ts";
import { systemCode, UserError } from "../../src/errors.ts";

/** A bootstrap credential as it lies in a file, and which writing of the file it was. */
export interface Credential {
  readonly value: Secret;
  /** Changes with every writing of the file; holds nothing of the value. */
  readonly origin: string;
}

/** Longer than any JWT; a file that is not meant ends here. */
const MOST_BYTES = 64 * 1024;

/**
 * The one line in a file. `shared` where others may read it too: what Kubernetes mounts into a pod.
 * @throws UserError store-login where the file is missing, empty, or open to other users
 */
export function readCredential(options: StoreOptions, file: string, shared = false): Credential {
  const path = expandHome(options, file);
  const fail = (problem: string, hint: string): never => {
    throw new UserError("store-login", `store ${options.store}: ${file} ${problem}`, { hint });
  };
  const identity = identify(options, path) ?? fail("is missing", "log in and write it there, for its owner only");
  if (identity.kind !== "file" || identity.size > MOST_BYTES)
    fail("is not a file with a credential", `look at ${file}`);
  if (!shared && options.platform !== "win32" && (identity.mode & 0o077) !== 0) {
    fail("can be read by other users", `chmod 600 ${file}`);
  }
  const text = readText(options, path) ?? fail("cannot be read", `look at the owner and the mode of ${file}`);
  if (text === "" || /\s/.test(text)) fail("does not hold one word", `write the credential alone into ${file}`);
  return { value: new Secret(text), origin: originOf(identity) };
}

export function expandHome(options: StoreOptions, file: string): string {
  return file.startsWith("~/") ? join(options.userHome, file.slice(2)) : file;
}

export function originOf(identity: FileIdentity): string {
  return `${identity.dev}:${identity.ino}:${identity.size}:${identity.mtimeNs}`;
}

export function identify(options: StoreOptions, path: string): FileIdentity | undefined {
  try {
    return options.files.identify(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function readText(options: StoreOptions, path: string): string | undefined {
  try {
    return options.files.read(path).toString("utf8").trim();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
