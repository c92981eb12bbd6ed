// biome-ignore-all lint/suspicious/noThenProperty: that is what the service calls the actions of an automation

/** What a new automation or channel may begin as. */

export interface Template {
  title: string;
  definition: Record<string, unknown>;
}

const tell = [{ type: "notify", channel: "ops" }];

export const AUTOMATION_TEMPLATES: Record<string, Template> = {
  failed: {
    title: "A run failed",
    definition: { when: { type: "run", states: ["failed"], workflow: "*" }, then: tell, cooldown_s: 300 },
  },
  late: {
    title: "A run takes too long",
    definition: { when: { type: "late", not_ended_s: 3600, workflow: "*" }, then: tell },
  },
  missing: {
    title: "No run succeeded for a day",
    definition: { when: { type: "missing", workflow: "etl", for_s: 86400 }, then: tell },
  },
  slow: {
    title: "A run was slow",
    definition: { when: { type: "measured", what: "duration", above: 600, workflow: "*" }, then: tell },
  },
  repair: {
    title: "A task failed: run another workflow",
    definition: {
      when: { type: "task", states: ["failed"], task: "load", workflow: "*" },
      then: [{ type: "start_run", workflow: "repair", params: {} }],
    },
  },
  stuck: {
    title: "A task hangs: cancel its run",
    definition: {
      when: { type: "task", states: ["running"], for_s: 7200, workflow: "*" },
      then: [...tell, { type: "cancel_run" }],
    },
  },
};

export const CHANNEL_TEMPLATES: Record<string, Template> = {
  log: { title: "The service's log", definition: { way: { type: "log", level: "warning" } } },
  smtp: {
    title: "Mail",
    definition: {
      way: {
        type: "smtp",
        host: "mail.example.com",
        sender: "Weft <weft@example.com>",
        to: ["ops@example.com"],
        user: "weft",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the service puts the secret in
        password: "${secret:mail-password}",
      },
    },
  },
  webhook: {
    title: "Web request",
    definition: { way: { type: "webhook", url: "https://example.com/hook", secret: "" } },
  },
  apprise: {
    title: "Slack, Teams, PagerDuty and others by Apprise",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the service puts the secret in
    definition: { way: { type: "apprise", urls: ["${secret:slack-url}"] } },
  },
};
