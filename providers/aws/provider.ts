import { inParallel } from "../../src/core/parallel.ts";
import type { Provider, ResolvedSecret, ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { formatRef, type SecretRef } from "../../src/core/ref.ts";
import { UserError } from "../../src/errors.ts";
import { describeSecret, listSecrets, readAllValues, readWhole, removeSecret } from "./catalog.ts";
import { createLogin, type Login } from "./login.ts";
import { isRolePath, nameOf } from "./names.ts";
import { rightsFor, rightsText } from "./policy.ts";
import { resolveSecrets } from "./resolve.ts";
import { resolveRole, roleGroups, roleOf } from "./roles.ts";
import { rotationOf } from "./rotation.ts";
import { openScope } from "./scope.ts";
import { parseAwsSettings } from "./settings.ts";
import { tokenKey } from "./versions.ts";
import { writeSecret } from "./write.ts";

/** For a command that names no deadline of its own: `list`, `set`, `rm`. */
const COMMAND_TIME = 30_000;

/**
 * A store in AWS Secrets Manager, and roles of STS.
 * @throws UserError config-invalid
 */
export function open(options: StoreOptions): Required<Omit<Provider, "folder" | "checkRetention" | "putAll">> {
  const { store, now } = options;
  const settings = parseAwsSettings(store, options.settings);
  const login = createLogin(options, settings);
  const catalog = { store, api: login.secrets, settings };
  const request = (): ResolveRequest => ({ deadline: now() + COMMAND_TIME });
  return {
    resolve: (refs, asked) => resolveAny(login, refs, asked),
    async put(path, fields, { ifVersion, origin }) {
      const name = nameOf(store, settings.prefix, path);
      const writer = { store, api: login.secrets, settings, key: await tokenKey(options) };
      return writeSecret(writer, name, { fields, ifVersion, origin, request: request() });
    },
    list: () => listSecrets(catalog, request()),
    readAll: () => readAllValues(catalog, request()),
    describe: (path) => describeSecret(catalog, path, request()),
    read: (path, asked) => readWhole(catalog, path, asked),
    remove: (path) => removeSecret(catalog, path, request()),
    scope: async (launch, _, journal) => openScope(login, launch, journal),
    // STS takes nothing back: what a dead launch had ends by itself.
    reap: async () => ({ leases: [], credentials: [] }),
    rotation: (path, given) => rotationOf({ ...catalog, now }, path, given),
    policyFor: (_, refs) => rightsText(rightsFor(store, settings, refs)),
    check: async (asked) => (await import("./check.ts")).checkStore(login, asked),
    close: () => login.close(),
  };
}

/** Outside a launch, for `get` and for the read back of `migrate`. */
async function resolveAny(
  login: Login,
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const { store, settings, options } = login;
  const sessions = await inParallel(roleGroups(refs), async (group) => {
    const role = roleOf(store, settings, group[0]?.path ?? "");
    if (role.deliver !== "env") throw onlyLaunched(group);
    const parts = { store, sts: await login.sts(), now: options.now };
    return resolveRole(parts, { role, owner: { host: options.host } }, group, request);
  });
  const plain = refs.filter(({ path }) => !isRolePath(path));
  const secrets =
    plain.length === 0 ? [] : await resolveSecrets({ store, settings, api: login.secrets }, plain, request);
  const answers = new Map([...sessions.flat(), ...secrets].map((answer) => [formatRef(answer.ref), answer]));
  return refs.flatMap((ref) => answers.get(formatRef(ref)) ?? []);
}

function onlyLaunched(refs: readonly SecretRef[]): UserError {
  return new UserError("refused", `${refs.map(formatRef).join(", ")}: only a running server is served credentials`, {
    hint: "put the references into the env of a config entry",
  });
}
