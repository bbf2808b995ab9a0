import type { Fields } from "../../core/provider.ts";
import { formatRef } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { UserError } from "../../errors.ts";
import type { RotationRequest, SetTarget, TargetOptions, Verdict } from "../target.ts";
import { refused } from "./failure.ts";
import { type Login, adminLogin, readLogin, withLogin } from "./login.ts";
import { newPassword } from "./password.ts";
import { type AclUser, addPassword, removePassword, takesAnyPassword } from "./redis/acl.ts";
import { type Command, withConnection } from "./redis/connection.ts";
import { refusalOf, verdictOf } from "./redis/failure.ts";
import { type RedisSettings, parseRedis } from "./redis/settings.ts";
import { type System, changeAlone, reasonOf } from "./system.ts";
import { tlsOptions } from "./tls.ts";

/**
 * A user of Redis or Valkey, which may have several passwords: the new one is added, and the old one taken away in the
 * end (class O). Nodes do not tell each other of it: each one is told.
 * @throws UserError config-invalid
 */
export function open(options: TargetOptions): SetTarget {
  const settings = parseRedis(options.ref, options.settings);
  const nodes = settings.nodes.map((node) => nodeOf(options, settings, node));
  const target: Opened = { options, settings, nodes };
  return {
    kind: "set",
    class: "O",
    propose: ({ current }) => propose(target, current),
    test: (fields, request) => test(target, fields, request),
    set: (fields, request) => set(target, fields, request),
    retire: (old, request) => retire(target, old, request),
  };
}

interface Opened {
  readonly options: TargetOptions;
  readonly settings: RedisSettings;
  readonly nodes: readonly System<Command>[];
}

function propose({ options, settings }: Opened, current: Fields): Fields {
  // Read for the error only: where there is no password, there is nothing to rotate.
  readLogin(current, settings.places, formatRef(options.ref));
  const password = new Secret(newPassword(options.random));
  return withLogin(current, settings.places, { user: undefined, password });
}

async function test(target: Opened, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const login = loginOf(target, fields);
  const { password: current } = loginOf(target, request.current);
  for (const node of target.nodes) {
    try {
      // A login is all: whatever the user may do, it may with each of its passwords.
      await node.ask(login, request, async () => undefined);
    } catch (error) {
      if (error instanceof UserError) throw error;
      return node.verdictOf(error);
    }
    const proof = login.password.equals(current) ? VALID : await proofOf(target, node, login, request);
    if (proof.type !== "valid") return proof;
  }
  return VALID;
}

const VALID: Verdict = { type: "valid" };

/**
 * A login proves nothing where the user takes any password: what was never set is none of its passwords. It may look
 * itself, or its administrator does, of whom nothing else is said here.
 */
async function proofOf(
  target: Opened,
  node: System<Command>,
  login: Login,
  request: RotationRequest,
): Promise<Verdict> {
  const { options, settings } = target;
  const user = userOf(target, login);
  try {
    const who = settings.admin === undefined ? login : await adminLogin(options, settings.admin, settings.places);
    const isOpen = await node.ask(who, request, (command) => takesAnyPassword(command, user));
    return isOpen ? { type: "rejected" } : VALID;
  } catch (error) {
    return {
      type: "unreachable",
      reason: `whether user ${user.name} takes any password cannot be seen: ${reasonOf(error)}`,
    };
  }
}

async function set(target: Opened, fields: Fields, request: RotationRequest): Promise<void> {
  const { admin, places } = target.settings;
  const login = loginOf(target, fields);
  const user = userOf(target, login);
  const kept = [request.current, request.previous].flatMap((each) => (each === undefined ? [] : loginOf(target, each)));
  const change = (command: Command) => addPassword(command, user, login.password);
  await eachNode(target, user, async (node) => {
    if (admin !== undefined) return node.ask(await adminLogin(target.options, admin, places), request, change);
    if (await changeAlone(node, { login, kept }, request, change)) return;
    const what = `nothing that is kept logs in to change user ${user.name}`;
    throw refused(target.options.ref, what, "name an administrator's secret as admin in config.jsonc");
  });
}

async function retire(target: Opened, old: Fields, request: RotationRequest): Promise<void> {
  const { admin, places } = target.settings;
  const current = loginOf(target, request.current);
  const { password } = loginOf(target, old);
  if (password.equals(current.password)) return;
  const user = userOf(target, current);
  await eachNode(target, user, async (node) => {
    const login = admin === undefined ? current : await adminLogin(target.options, admin, places);
    await node.ask(login, request, (command) => removePassword(command, user, password));
  });
}

/** One after the other: what was not reached is told again, and nothing changes where it was. */
async function eachNode(target: Opened, { ref, name }: AclUser, run: (node: System<Command>) => Promise<void>) {
  for (const node of target.nodes) {
    try {
      await run(node);
    } catch (error) {
      throw refusalOf(error, { ref, user: name });
    }
  }
}

function nodeOf(options: TargetOptions, { tls }: RedisSettings, { host, port }: RedisSettings["nodes"][number]) {
  const node: System<Command> = {
    ask(login, { deadline, signal }, run) {
      const place = { host, port, tls: tlsOptions(tls, options.readFile) };
      const limits = { timeout: deadline - options.now(), ...(signal !== undefined && { signal }) };
      return withConnection(place, login, limits, run);
    },
    verdictOf,
  };
  return node;
}

function loginOf({ options, settings }: Opened, fields: Fields): Login {
  const { user, password } = readLogin(fields, settings.places, formatRef(options.ref));
  return { user: user ?? settings.user, password };
}

function userOf({ options, settings }: Opened, { user = "default" }: Login): AclUser {
  return { ref: options.ref, name: user, persist: settings.persist };
}
