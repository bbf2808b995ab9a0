import { join } from "node:path";
import type { Readable } from "node:stream";
import { state } from "@aws-sdk/core/client";
import { fromEnv } from "@aws-sdk/credential-provider-env";
import { SCHEME } from "../../src/core/ref.ts";
import type { AwsSettings } from "./settings.ts";

/** As the SDK's clients take them. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export type CredentialSource = () => Promise<Credentials>;

/** What every client of the SDK is made with. */
export interface ClientSettings {
  readonly credentials: CredentialSource;
  readonly region?: string;
  readonly profile?: string;
  readonly endpoint?: string;
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
  readonly streamCollector?: (stream: Readable) => Promise<Uint8Array>;
}

/** Milliseconds: for a connection, and for one answer. */
const CONNECTION_TIME = 2000;
export const TRY_TIME = 3000;
const METADATA_TIME = 1000;

/**
 * Retries are ours (`calls.ts`), under one deadline for all; the SDK's time-outs would otherwise only warn, or not be at
 * all.
 */
export function clientSettings(
  settings: AwsSettings,
  credentials: CredentialSource,
  endpoint: string | undefined,
): ClientSettings {
  // Node 20 is what we support, and stderr is the client's log: the notice would stand there at each launch.
  state.warningEmitted = true;
  const { region, profile } = settings;
  return {
    credentials,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECTION_TIME, requestTimeout: TRY_TIME, throwOnRequestTimeout: true },
    streamCollector: collect,
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

/** By its events: a stream of one's own to write into, as the SDK makes one, costs a launch four milliseconds. */
function collect(stream: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("end", () => resolve(Buffer.concat(chunks)));
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("the connection was closed")));
  });
}

/**
 * The SDK's own order: environment, profile (keys, SSO, process, web identity, a role of another profile), web identity
 * of the environment, container, and the machine's metadata only where the settings ask for it: elsewhere that last step
 * is seconds of silence. The SDK's `defaultProvider` leaves it out only for an environment variable, which the servers
 * that we start would see.
 */
export function credentialSource(settings: AwsSettings, userHome: string): CredentialSource {
  const links = linksOf(settings, userHome);
  return async () => {
    let last: unknown;
    for (const link of links) {
      try {
        // Each link is asked only where the one before had nothing.
        return await link();
      } catch (error) {
        if (!mayTryNext(error)) throw error;
        last = error;
      }
    }
    throw links.length === 1 ? last : noCredentials();
  };
}

/** Named as the SDK does. */
function noCredentials(): Error {
  const message = "there are no credentials in the environment, in ~/.aws or in a container";
  return Object.assign(new Error(message), { name: "CredentialsProviderError" });
}

function linksOf(settings: AwsSettings, userHome: string): readonly CredentialSource[] {
  const profile = profileLink(settings, userHome);
  if (settings.profile !== undefined) return [profile];
  return [environmentLink, profile, webIdentityLink, containerLink, ...(settings.imds ? [metadataLink] : [])];
}

/**
 * What an entry maps for its server stands in our environment as well, as references: those are nobody's keys.
 */
async function environmentLink(): Promise<Credentials> {
  const found = await fromEnv()();
  if (!found.accessKeyId.startsWith(SCHEME) && !found.secretAccessKey.startsWith(SCHEME)) return found;
  throw Object.assign(new Error("the environment holds references"), { tryNextLink: true });
}

/**
 * Loaded where it is needed. The files are the user's own, wherever `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE`
 * point: an entry that keeps its server from them says so in those variables, and we see them first.
 */
function profileLink({ profile, credentialsFile, configFile }: AwsSettings, userHome: string): CredentialSource {
  const files = {
    filepath: expandHome(credentialsFile ?? "~/.aws/credentials", userHome),
    configFilepath: expandHome(configFile ?? "~/.aws/config", userHome),
  };
  return async () => {
    const { fromIni } = await import("@aws-sdk/credential-provider-ini");
    return fromIni(profile === undefined ? files : { ...files, profile })();
  };
}

function expandHome(path: string, userHome: string): string {
  return path.startsWith("~/") ? join(userHome, path.slice(2)) : path;
}

async function webIdentityLink(): Promise<Credentials> {
  const { fromTokenFile } = await import("@aws-sdk/credential-provider-web-identity");
  return fromTokenFile()();
}

async function containerLink(): Promise<Credentials> {
  const { fromHttp } = await import("@aws-sdk/credential-provider-http");
  return fromHttp({ timeout: METADATA_TIME, maxRetries: 1 })();
}

async function metadataLink(): Promise<Credentials> {
  const { fromInstanceMetadata } = await import("@smithy/credential-provider-imds");
  return fromInstanceMetadata({ timeout: METADATA_TIME, maxRetries: 0 })();
}

/** The SDK's errors say whether the next source may be tried. */
function mayTryNext(error: unknown): boolean {
  return error instanceof Error && "tryNextLink" in error && error.tryNextLink === true;
}
