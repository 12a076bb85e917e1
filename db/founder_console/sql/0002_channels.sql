-- Second channels beside e-mail, quiet hours, and how far a new founder has come.
ALTER TABLE founder_console.founders
  ADD COLUMN time_zone text NOT NULL DEFAULT '',       -- empty: the company's
  ADD COLUMN quiet_from time,                          -- both or none
  ADD COLUMN quiet_to time,
  ADD COLUMN quiet_urgent boolean NOT NULL DEFAULT true,  -- what must be decided before the quiet ends still rings
  ADD COLUMN installed_at timestamptz,                 -- first opened from the home screen
  ADD COLUMN guided_at timestamptz;                    -- the first steps are done or were put away
GRANT UPDATE (time_zone, quiet_from, quiet_to, quiet_urgent, installed_at, guided_at) ON founder_console.founders TO flr_app;

CREATE TABLE founder_console.telegram_codes (          -- one-time codes that pair a chat; only the hash is kept
  code_sha256 text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE TABLE founder_console.telegram_chats (          -- the private chat that is a founder's; nobody else's presses count
  founder_id uuid PRIMARY KEY REFERENCES founder_console.founders (id),
  tenant_id uuid NOT NULL,
  chat_id bigint NOT NULL,
  name text NOT NULL,
  paired_at timestamptz NOT NULL
);

CREATE TABLE founder_console.webhooks (                -- where a founder's own system is told
  founder_id uuid PRIMARY KEY REFERENCES founder_console.founders (id),
  tenant_id uuid NOT NULL,
  url text NOT NULL CHECK (length(url) <= 2000),
  secret bytea NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE founder_console.notices (                 -- what went out on a second channel, once for each question and person
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  channel text NOT NULL CHECK (channel IN ('email', 'telegram', 'webhook')),
  approval_id uuid,                                    -- none for a trial
  version int,                                         -- of the question as it was told
  attempts int NOT NULL DEFAULT 0,
  handle text NOT NULL DEFAULT '',                     -- the message's own name there, to change it later
  problem text NOT NULL DEFAULT '',
  made_at timestamptz NOT NULL,
  sent_at timestamptz,
  closed_at timestamptz                                -- the answer is shown in its place
);
CREATE INDEX ON founder_console.notices (approval_id);
CREATE INDEX ON founder_console.notices (founder_id, channel, sent_at DESC);

CREATE TABLE founder_console.held_rings (              -- questions that did not ring because of quiet hours
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  approval_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  held_at timestamptz NOT NULL,
  PRIMARY KEY (founder_id, approval_id)
);

GRANT SELECT, INSERT ON founder_console.telegram_codes, founder_console.telegram_chats, founder_console.webhooks,
  founder_console.notices, founder_console.held_rings TO flr_app;
GRANT UPDATE (used_at), DELETE ON founder_console.telegram_codes TO flr_app;
GRANT UPDATE (chat_id, name, paired_at), DELETE ON founder_console.telegram_chats TO flr_app;
GRANT UPDATE (url, secret, created_at), DELETE ON founder_console.webhooks TO flr_app;
GRANT UPDATE (attempts, handle, problem, sent_at, closed_at) ON founder_console.notices TO flr_app;
GRANT DELETE ON founder_console.held_rings TO flr_app;
GRANT SELECT ON founder_console.telegram_codes, founder_console.telegram_chats, founder_console.notices,
  founder_console.held_rings TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['telegram_codes', 'telegram_chats', 'webhooks', 'notices', 'held_rings'] LOOP
    EXECUTE format('ALTER TABLE founder_console.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON founder_console.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON founder_console.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;
