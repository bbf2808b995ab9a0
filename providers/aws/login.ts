import type { ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { type Calls, createCalls } from "./calls.ts";
import { createSecretsApi, type SecretsApi } from "./client.ts";
import { clientSettings, type CredentialSource, credentialSource } from "./credentials.ts";
import { type SessionOwner, sessionRequest } from "./sessions.ts";
import type { AwsSettings } from "./settings.ts";
import type { StsApi } from "./sts.ts";

/** The services in the name of whom the settings say. */
export interface Login {
  readonly store: string;
  readonly settings: AwsSettings;
  readonly options: StoreOptions;
  /** Secrets, in the name of the store's own role where it has one. */
  readonly secrets: SecretsApi;
  /** Roles, in the name of the one who starts us. Loaded when it is asked for. */
  sts(): Promise<StsApi>;
  /** Secrets for one launch: where the store has a role, with a session that is narrowed to `policy`. */
  secretsFor(
    owner: SessionOwner,
    policy: Readonly<Record<string, unknown>>,
    request: ResolveRequest,
  ): Promise<SecretsApi>;
  close(): void;
}

/** Milliseconds for a role that is assumed on the way to a secret. */
const ROLE_TIME = 10_000;

export function createLogin(options: StoreOptions, settings: AwsSettings): Login {
  const { store, now } = options;
  const calls = createCalls(store, now, options.chance);
  const base = credentialSource(settings, options.userHome);
  let loading: Promise<StsApi> | undefined;
  const sts = () => (loading ??= loadSts(store, settings, base, calls));
  const secretsWith = (source: CredentialSource) =>
    createSecretsApi(clientSettings(settings, source, settings.endpoint), calls);
  const assumed = async (owner: SessionOwner, request: ResolveRequest, policy?: Readonly<Record<string, unknown>>) => {
    if (settings.storeRole === undefined) return base();
    const session = sessionRequest(store, settings.storeRole, owner, policy);
    return (await (await sts()).assume(session, request)).credentials;
  };
  const secrets = secretsWith(() => assumed({ host: options.host }, { deadline: now() + ROLE_TIME }));
  const opened: SecretsApi[] = [secrets];
  return {
    store,
    settings,
    options,
    secrets,
    sts,
    async secretsFor(owner, policy, request) {
      if (settings.storeRole === undefined) return secrets;
      const credentials = await assumed(owner, request, policy);
      const api = secretsWith(async () => credentials);
      opened.push(api);
      return api;
    },
    close() {
      for (const api of opened) api.close();
      void loading?.then(
        (api) => api.close(),
        () => {},
      );
    },
  };
}

async function loadSts(store: string, settings: AwsSettings, base: CredentialSource, calls: Calls): Promise<StsApi> {
  const { createStsApi } = await import("./sts.ts");
  return createStsApi(store, clientSettings(settings, base, settings.stsEndpoint), calls);
}
