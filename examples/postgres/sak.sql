-- A small case-handling application with the types that usually hurt.
CREATE TYPE sak_status AS ENUM ('ny', 'under_arbeid', 'lukket');
CREATE DOMAIN foedselsdato AS date CHECK (VALUE > '1850-01-01');
CREATE TYPE adresse AS (gate text, postnr char(4));

CREATE TABLE person (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "æøå"       text,
  fnr         char(11),
  foedt       foedselsdato,
  aktiv       boolean NOT NULL DEFAULT true,
  vekt        double precision,
  hoyde       real,
  saldo       numeric(20, 4),
  stort_tall  numeric,
  penger      money,
  opprettet   timestamptz NOT NULL DEFAULT now(),
  lokal_tid   timestamp,
  klokke      time,
  bilde       bytea,
  ekstra      jsonb,
  merker      text[],
  poeng       integer[],
  referanse   uuid DEFAULT gen_random_uuid(),
  adresse     adresse,
  ip          inet,
  varighet    interval,
  gyldig      int4range,
  plassering  point,
  versjon     bigint NOT NULL DEFAULT 1
);

CREATE TABLE sak (
  kontor      smallint,
  saksnr      varchar(20),
  person_id   bigint REFERENCES person (id) ON DELETE CASCADE,
  status      sak_status NOT NULL DEFAULT 'ny',
  endret      timestamptz NOT NULL DEFAULT clock_timestamp(),
  versjon     bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (kontor, saksnr)
);

-- Large values that most updates leave alone: PostgreSQL does not send them again.
CREATE TABLE vedtak (
  id          bigint PRIMARY KEY,
  tekst       text,
  dokument    jsonb,
  lest        integer NOT NULL DEFAULT 0,
  versjon     bigint NOT NULL DEFAULT 1
);
ALTER TABLE vedtak ALTER COLUMN tekst SET STORAGE EXTERNAL;

INSERT INTO person ("æøå", fnr, foedt, vekt, hoyde, saldo, stort_tall, penger, lokal_tid, klokke, bilde, ekstra, merker, poeng, adresse, ip,
                    varighet, gyldig, plassering)
SELECT 'blåbær nr. ' || n, lpad(n::text, 11, '0'), date '1950-01-01' + n * 7, n / 3.0, n / 7.0, n * 1.2345, n * 1e20 + 0.5, n::numeric::money,
       timestamp '2024-02-29 12:34:56.789' + n * interval '1 hour', time '00:00' + n * interval '1.000001 s', decode(md5(n::text), 'hex'),
       jsonb_build_object('n', n, 'tekst', 'linje "' || n || '"', 'liste', jsonb_build_array(1, null, 2.5)),
       ARRAY['a' || n, 'ø'], ARRAY[n, -n], ROW('Gata ' || n, lpad((n % 10000)::text, 4, '0')::char(4))::adresse, ('10.0.0.' || n % 250)::inet,
       n * interval '1 month 2 days 3.5 s', int4range(n, n + 10), point(n, -n)
FROM generate_series(1, 500) AS n;
INSERT INTO person ("æøå", vekt, stort_tall, foedt, ekstra, merker) VALUES
  (NULL, 'NaN', NULL, NULL, 'null', '{}'), ('', 'Infinity', 0, '9999-12-31', '{}', NULL), (E'tab\tlinje\nslutt', '-Infinity', -0.00000000000000000001, '1850-01-02', '[]', ARRAY['']);
INSERT INTO sak SELECT n % 7, 'S-' || n, n, (ARRAY['ny', 'under_arbeid', 'lukket'])[1 + n % 3]::sak_status FROM generate_series(1, 500) AS n;
INSERT INTO vedtak SELECT n, repeat(md5(n::text), 3200), jsonb_build_object('n', n, 'fyll', repeat(md5((n * 7)::text), 3200)) FROM generate_series(1, 40) AS n;
