/** Ours alone: where our home is, what is set aside. No server has a use for them. */
const OWN = /^MCPS_/;

export function isOurs(name: string): boolean {
  return OWN.test(name);
}

/**
 * The environment that the client gave us. The stable launcher (install.ts) keeps three variables from Node under names
 * of our own, because Node would act on them; an empty one stands for one that was not set.
 */
const SET_ASIDE: readonly (readonly [own: string, name: string])[] = [
  ["MCPS_P", "PATH"],
  ["MCPS_O", "NODE_OPTIONS"],
  ["MCPS_C", "NODE_EXTRA_CA_CERTS"],
];

export function clientEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !isOurs(name)) entries.set(name, value);
  }
  for (const [own, name] of SET_ASIDE) {
    const kept = env[own];
    if (kept === undefined) continue;
    if (kept === "") entries.delete(name);
    else entries.set(name, kept);
  }
  return Object.fromEntries(entries);
}
