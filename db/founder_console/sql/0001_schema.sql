-- Founder console: people, their keys and sessions, and push.
CREATE SCHEMA founder_console;
GRANT USAGE ON SCHEMA founder_console TO flr_app, flr_law, flr_auditor;

CREATE TABLE founder_console.founders (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  rol text NOT NULL CHECK (rol IN ('founder', 'deputy')),
  language text NOT NULL DEFAULT 'id' CHECK (language IN ('id', 'en')),
  theme text NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
  hide_amounts boolean NOT NULL DEFAULT false,
  email text NOT NULL DEFAULT '' CHECK (length(email) <= 254),
  created_at timestamptz NOT NULL
);

CREATE TABLE founder_console.enrolments (              -- one-time links; only the hash is kept
  token_sha256 text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE TABLE founder_console.passkeys (
  credential_id text PRIMARY KEY,                      -- base64url
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  public_key bytea NOT NULL,                           -- COSE
  sign_count bigint NOT NULL,
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  usable_from timestamptz NOT NULL,                    -- later than created_at when added after a recovery
  used_at timestamptz,
  revoked_at timestamptz
);

CREATE TABLE founder_console.device_keys (
  kid text NOT NULL,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  public_key bytea NOT NULL,                           -- 32 raw bytes, Ed25519
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, kid)
);

CREATE TABLE founder_console.recovery_codes (
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  code_hash text PRIMARY KEY,                          -- SHA-256 of 80 random bits
  used_at timestamptz
);

CREATE TABLE founder_console.sessions (
  token_sha256 text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  recovered boolean NOT NULL DEFAULT false,
  revoked_at timestamptz
);

CREATE TABLE founder_console.challenges (              -- single-use nonces of passkey ceremonies and signed statements
  nonce text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid,
  purpose text NOT NULL CHECK (purpose IN ('register', 'login', 'decision')),
  subject text NOT NULL DEFAULT '',
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE TABLE founder_console.push_subscriptions (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  founder_id uuid NOT NULL REFERENCES founder_console.founders (id),
  endpoint text NOT NULL,
  p256dh text NOT NULL,
  auth text NOT NULL,
  created_at timestamptz NOT NULL,
  last_sent_at timestamptz,
  last_receipt_at timestamptz,
  problem text NOT NULL DEFAULT '',
  UNIQUE (tenant_id, endpoint)
);

CREATE TABLE founder_console.push_receipts (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  subscription_id uuid NOT NULL REFERENCES founder_console.push_subscriptions (id) ON DELETE CASCADE,
  tag text NOT NULL,
  status int NOT NULL,
  sent_at timestamptz NOT NULL,
  received_at timestamptz
);

CREATE TABLE founder_console.used_action_tokens (
  jti text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  used_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA founder_console TO flr_app;
GRANT UPDATE (name, language, theme, hide_amounts, email) ON founder_console.founders TO flr_app;
GRANT UPDATE (used_at) ON founder_console.enrolments, founder_console.recovery_codes, founder_console.challenges TO flr_app;
GRANT UPDATE (sign_count, used_at, revoked_at, label) ON founder_console.passkeys TO flr_app;
GRANT UPDATE (revoked_at, label) ON founder_console.device_keys TO flr_app;
GRANT UPDATE (seen_at, expires_at, revoked_at) ON founder_console.sessions TO flr_app;
GRANT UPDATE (p256dh, auth, last_sent_at, last_receipt_at, problem), DELETE ON founder_console.push_subscriptions TO flr_app;
GRANT UPDATE (received_at), DELETE ON founder_console.push_receipts TO flr_app;
GRANT DELETE ON founder_console.challenges, founder_console.used_action_tokens, founder_console.recovery_codes TO flr_app;
GRANT SELECT ON ALL TABLES IN SCHEMA founder_console TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['founders', 'enrolments', 'passkeys', 'device_keys', 'recovery_codes', 'sessions', 'challenges',
                           'push_subscriptions', 'push_receipts', 'used_action_tokens'] LOOP
    EXECUTE format('ALTER TABLE founder_console.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON founder_console.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON founder_console.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;

-- Whose recovery code this is: whoever lost the phone can name neither tenant nor founder. Answers for a full hash only.
CREATE FUNCTION founder_console.tenant_of_code(hash text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.tenant_id FROM founder_console.recovery_codes c WHERE c.code_hash = hash AND c.used_at IS NULL
$$;
CREATE POLICY recovering ON founder_console.recovery_codes FOR SELECT TO flr_law USING (true);
GRANT SELECT ON founder_console.recovery_codes TO flr_law;
REVOKE ALL ON FUNCTION founder_console.tenant_of_code(text) FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA founder_console TO flr_law;
ALTER FUNCTION founder_console.tenant_of_code(text) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA founder_console FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION founder_console.tenant_of_code(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION founder_console.tenant_of_code(text) TO flr_app;
RESET ROLE;
