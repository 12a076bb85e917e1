-- Which key of the vault sealed a provider's secret.
ALTER TABLE founder_console.payment_sources ADD COLUMN kid text NOT NULL DEFAULT '';
