import { join } from "node:path";
import { shellWord } from "../core/shell.ts";

/** What starts `rotate --due` again and again: the text for each scheduler. Nothing in it is secret. */
export const SCHEDULERS = ["crontab", "systemd", "launchd", "schtasks"] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

export interface CronPlace {
  /** The words that start mcp-secrets: the stable launcher. */
  readonly command: readonly string[];
  readonly home: string;
  readonly userHome: string;
  /** 0 to 14: so that not every machine of a team comes in the same minute. */
  readonly offset: number;
}

/** A file to write, or a line to add to the user's crontab, and the commands that make it count. */
export interface Installation {
  readonly scheduler: Scheduler;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly crontab?: string;
  readonly commands: readonly (readonly string[])[];
}

const NAME = "mcp-secrets-rotate";
const LABEL = "mcp-secrets.rotate";
/** Marks our line in a crontab. */
const MARK = "# mcp-secrets rotate";
const EVERY = 15;

export function defaultScheduler(platform: NodeJS.Platform): Scheduler {
  if (platform === "win32") return "schtasks";
  return platform === "darwin" ? "launchd" : "crontab";
}

export function installationOf(scheduler: Scheduler, place: CronPlace): Installation {
  return MAKE[scheduler](place);
}

const MAKE: Readonly<Record<Scheduler, (place: CronPlace) => Installation>> = {
  crontab: (place) => ({ scheduler: "crontab", files: [], crontab: crontabLine(place), commands: [] }),
  systemd,
  launchd,
  schtasks,
};

/** The crontab with our line, in place of an older one of ours; every other line as it was. */
export function withLine(crontab: string, line: string): string {
  const others = crontab.split("\n").filter((each) => !each.endsWith(MARK));
  while (others.at(-1) === "") others.pop();
  return [...others, line, ""].join("\n");
}

/**
 * One line of a crontab(5): sh(1) gets what is behind the times, except that cron takes `%` for the end of the line
 * unless a backslash stands before it. The environment of cron is not ours: the home is named.
 */
function crontabLine({ command, home, offset }: CronPlace): string {
  const minutes = Array.from({ length: 60 / EVERY }, (_, turn) => offset + turn * EVERY).join(",");
  const line = [`MCPS_HOME=${shellWord(home)}`, ...[...command, "rotate", "--due"].map(shellWord)].join(" ");
  return `${minutes} * * * * ${line.replaceAll("%", String.raw`\%`)} ${MARK}`;
}

/** A service and a timer of the user's own manager, systemd.service(5), systemd.timer(5). */
function systemd({ command, home, userHome }: CronPlace): Installation {
  const folder = join(userHome, ".config", "systemd", "user");
  const words = [...command, "rotate", "--due"].map((word) => systemdWord(word.replaceAll("$", "$$$$"))).join(" ");
  const service = `[Unit]
Description=mcp-secrets: rotate what is due

[Service]
Type=oneshot
Environment=${systemdWord(`MCPS_HOME=${home}`)}
# systemd takes no quotes or blanks in the name of the program itself.
ExecStart=/usr/bin/env ${words}
# 75: somebody else is at it, or a system was not reached; the next turn comes.
SuccessExitStatus=75
`;
  const timer = `[Unit]
Description=mcp-secrets: rotate what is due

[Timer]
OnCalendar=*:0/${EVERY}
RandomizedDelaySec=300
Persistent=true

[Install]
WantedBy=timers.target
`;
  return {
    scheduler: "systemd",
    files: [
      { path: join(folder, `${NAME}.service`), text: service },
      { path: join(folder, `${NAME}.timer`), text: timer },
    ],
    commands: [
      ["systemctl", "--user", "daemon-reload"],
      ["systemctl", "--user", "enable", "--now", `${NAME}.timer`],
    ],
  };
}

/** A launch agent, launchd.plist(5). */
function launchd({ command, home, userHome }: CronPlace): Installation {
  const words = [...command, "rotate", "--due"].map((word) => `    <string>${xmlText(word)}</string>\n`).join("");
  const path = join(userHome, "Library", "LaunchAgents", `${LABEL}.plist`);
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words}  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>MCPS_HOME</key>
    <string>${xmlText(home)}</string>
  </dict>
  <key>StartInterval</key>
  <integer>${EVERY * 60}</integer>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
`;
  return {
    scheduler: "launchd",
    files: [{ path, text }],
    commands: [
      ["launchctl", "unload", path],
      ["launchctl", "load", "-w", path],
    ],
  };
}

/** A task of the user's own; the one argument holds a command line, so that its words are quoted for it once more. */
function schtasks({ command }: CronPlace): Installation {
  const words = [...command, "rotate", "--due"].map(windowsWord).join(" ");
  const task = ["/Create", "/F", "/SC", "MINUTE", "/MO", String(EVERY), "/TN", NAME, "/TR", words];
  return { scheduler: "schtasks", files: [], commands: [["schtasks.exe", ...task]] };
}

/** A command as a user would type it. */
export function commandLine(words: readonly string[], platform: NodeJS.Platform): string {
  return words.map(platform === "win32" ? windowsWord : shellWord).join(" ");
}

/**
 * systemd.syntax(7), "Quoting": C escapes between double quotes; `%` stands for itself when doubled, and so does `$` in a
 * command (systemd.service(5)), though not in a variable (systemd.exec(5)).
 */
function systemdWord(word: string): string {
  const text = word
    .replaceAll("\\", "\\\\")
    .replaceAll('"', String.raw`\"`)
    .replaceAll("%", "%%");
  return /^[\w@+=:,./%-]+$/.test(text) ? text : `"${text}"`;
}

function xmlText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** As CommandLineToArgvW reads it: backslashes count only before a double quote, which no path can hold. */
function windowsWord(word: string): string {
  if (word !== "" && /^[\w@%+=:,./\\-]+$/.test(word)) return word;
  const quotes = word.replaceAll(/(\\*)"/g, String.raw`$1$1\"`).replace(/(\\+)$/, "$1$1");
  return `"${quotes}"`;
}
