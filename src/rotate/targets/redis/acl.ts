import { createHash } from "node:crypto";
import type { SecretRef } from "../../../core/ref.ts";
import type { Secret } from "../../../core/secret.ts";
import { refused } from "../failure.ts";
import type { Command } from "./connection.ts";
import type { RedisSettings } from "./settings.ts";

/** A user of one server, as its ACL has it (redis.io, "ACL SETUSER"). Passwords go to it as their SHA-256 only. */
export interface AclUser {
  readonly ref: SecretRef;
  readonly name: string;
  readonly persist: RedisSettings["persist"];
}

/**
 * Adds a password to those that the user has; nothing changes where it has it.
 * @throws UserError target-refused, before anything is changed, where the change would be lost; what the server answers
 */
export async function addPassword(command: Command, user: AclUser, password: Secret): Promise<void> {
  const { ref, name } = user;
  const { flags } = await look(command, user);
  if (flags.includes("nopass")) {
    throw refused(
      ref,
      `user ${name} logs in with any password`,
      `give it one: ACL SETUSER ${name} resetpass >PASSWORD`,
    );
  }
  // Before as well: a server that cannot keep what it is told would have the old passwords again when it is restarted.
  await save(command, user);
  await command("ACL", "SETUSER", name, `#${hashOf(password)}`);
  await save(command, user);
}

/** True for a user with `nopass`. @throws UserError target-refused where there is no such user; what the server answers */
export async function takesAnyPassword(command: Command, user: Pick<AclUser, "ref" | "name">): Promise<boolean> {
  return (await look(command, user)).flags.includes("nopass");
}

/** Takes a password away; nothing changes where it is not there. @throws UserError target-refused; what it answers */
export async function removePassword(command: Command, user: AclUser, password: Secret): Promise<void> {
  const { passwords } = await look(command, user);
  if (passwords.includes(hashOf(password))) await command("ACL", "SETUSER", user.name, `!${hashOf(password)}`);
  await save(command, user);
}

async function look(command: Command, { ref, name }: Pick<AclUser, "ref" | "name">) {
  const answer = await command("ACL", "GETUSER", name);
  if (!Array.isArray(answer)) throw refused(ref, `there is no user ${name} on the server`, `ACL SETUSER ${name} on …`);
  const member = (of: string): readonly unknown[] => {
    const value: unknown = answer[answer.indexOf(of) + 1];
    return Array.isArray(value) ? value : [];
  };
  return { flags: member("flags"), passwords: member("passwords") };
}

async function save(command: Command, { ref, persist }: AclUser): Promise<void> {
  if (persist === "none") return;
  try {
    await (persist === "acl" ? command("ACL", "SAVE") : command("CONFIG", "REWRITE"));
  } catch (error) {
    if (!(error instanceof Error && /not configured|without a config/.test(error.message))) throw error;
    const what = `the server keeps no ${persist === "acl" ? "ACL file" : "configuration file"}: a restart would bring the old password back`;
    throw refused(
      ref,
      what,
      `set aclfile on the server, or persist to ${persist === "acl" ? "config or " : ""}none in config.jsonc`,
    );
  }
}

function hashOf(password: Secret): string {
  return createHash("sha256").update(password.expose()).digest("hex");
}
