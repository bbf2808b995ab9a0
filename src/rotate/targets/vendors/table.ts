import type { Contract } from "./contract.ts";
import { gitlabGroup, gitlabPersonal, gitlabProject } from "./gitlab.ts";
import { cloudflare, datadog, openai, sendgrid, twilio } from "./keys.ts";
import { slackConfig } from "./slack.ts";

/** The contracts by the names that `config.jsonc` knows. Another vendor is another row, and nothing else. */
export const CONTRACTS: Readonly<Record<string, Contract>> = {
  cloudflare,
  datadog,
  "gitlab-group": gitlabGroup,
  "gitlab-personal": gitlabPersonal,
  "gitlab-project": gitlabProject,
  openai,
  sendgrid,
  "slack-config": slackConfig,
  twilio,
};
