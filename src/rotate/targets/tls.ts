import type { SettingsReader } from "../../core/settings-reader.ts";

/** libpq's words (PostgreSQL, "SSL Mode Descriptions"); what falls back to plain text without a word is not among them. */
export type TlsMode = "disable" | "require" | "verify-ca" | "verify-full";

/** How the connection to a server is protected. */
export interface TlsSettings {
  readonly mode: TlsMode;
  /** PEM file of the authorities that may vouch for the server, instead of Node's own list. */
  readonly caFile?: string;
}

const MODES: readonly TlsMode[] = ["verify-full", "verify-ca", "require", "disable"];

/** The settings `tls` and `caFile`. Only this machine is spoken to in plain text unless the user says so. */
export function readTls(settings: SettingsReader, ...hosts: readonly string[]): TlsSettings {
  const mode = settings.choice("tls", MODES) ?? (hosts.every(isThisMachine) ? "disable" : "verify-full");
  const caFile = settings.text("caFile", (path) => /^(\/|~\/|[A-Za-z]:[\\/])/.test(path));
  return { mode, ...(caFile !== undefined && { caFile }) };
}

/** What `node:tls` is to be told, or undefined for plain text. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly minVersion: "TLSv1.2";
  readonly ca?: Buffer;
  readonly checkServerIdentity?: () => undefined;
}

/** @throws Node's own system errors where the file cannot be read */
export function tlsOptions(tls: TlsSettings, readFile: (path: string) => Uint8Array): TlsOptions | undefined {
  if (tls.mode === "disable") return undefined;
  return {
    rejectUnauthorized: tls.mode !== "require",
    minVersion: "TLSv1.2",
    ...(tls.caFile !== undefined && { ca: Buffer.from(readFile(tls.caFile)) }),
    ...(tls.mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}

function isThisMachine(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\/.*)$/i.test(host);
}
