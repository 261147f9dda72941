CREATE TABLE mission (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    title        jsonb NOT NULL,
    summary      jsonb NOT NULL,
    organizer    jsonb,
    starts_on    date NOT NULL,
    ends_on      date NOT NULL,
    home_country text NOT NULL,
    host_country text NOT NULL,
    sectors      jsonb NOT NULL,
    is_rehearsal boolean NOT NULL,
    version      bigint NOT NULL DEFAULT 1,
    CHECK (ends_on >= starts_on)
);

CREATE TABLE partner_organization (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL REFERENCES mission,
    name       jsonb NOT NULL,
    kind       text NOT NULL
);
CREATE INDEX partner_organization_mission ON partner_organization (mission_id);

CREATE TABLE stop (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL REFERENCES mission,
    slug       text NOT NULL,
    city       jsonb NOT NULL,
    title      jsonb NOT NULL,
    venue      jsonb,
    timezone   text NOT NULL,
    held_on    date NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    UNIQUE (mission_id, slug)
);

-- The order of names is protocol, so it is data.
CREATE TABLE partner_role (
    stop_id    uuid NOT NULL REFERENCES stop,
    partner_id uuid NOT NULL REFERENCES partner_organization,
    role       text NOT NULL CHECK (role IN ('lead', 'co_host', 'organizer', 'supporter', 'venue_host')),
    place      smallint NOT NULL,
    PRIMARY KEY (stop_id, partner_id),
    UNIQUE (stop_id, place)
);

CREATE TABLE programme_item (
    id                uuid PRIMARY KEY,
    stop_id           uuid NOT NULL REFERENCES stop,
    slug              text NOT NULL,
    kind              text NOT NULL,
    title             jsonb NOT NULL,
    starts_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL,
    capacity          integer NOT NULL CHECK (capacity >= 0),
    requires_approval boolean NOT NULL,
    taken             integer NOT NULL DEFAULT 0,
    waiting           integer NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    version           bigint NOT NULL DEFAULT 1,
    UNIQUE (stop_id, slug),
    CHECK (ends_at > starts_at),
    -- The last wall against overselling.
    CHECK (taken BETWEEN 0 AND capacity)
);

CREATE TABLE organization (
    id                  uuid PRIMARY KEY,
    mission_id          uuid NOT NULL REFERENCES mission,
    identity            text NOT NULL,
    name                text NOT NULL,
    native_name         text,
    country             text NOT NULL,
    registration_number text,
    sectors             text[] NOT NULL,
    size                text,
    UNIQUE (mission_id, identity)
);

CREATE TABLE listing (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization,
    kind            text NOT NULL CHECK (kind IN ('offer', 'need', 'project')),
    sector          text NOT NULL,
    content         jsonb NOT NULL
);
CREATE INDEX listing_organization ON listing (organization_id);

-- Everybody who takes part or works on a mission, once for each mission.
CREATE TABLE person (
    id              uuid PRIMARY KEY,
    mission_id      uuid NOT NULL REFERENCES mission,
    role            text NOT NULL,
    email           text NOT NULL,
    full_name       text NOT NULL,
    native_name     text,
    latin_name      text,
    language        text NOT NULL CHECK (language IN ('en', 'zh')),
    languages       text[] NOT NULL,
    position        jsonb,
    organization_id uuid REFERENCES organization,
    partner_id      uuid REFERENCES partner_organization,
    stop_ids        uuid[] NOT NULL DEFAULT '{}',
    version         bigint NOT NULL DEFAULT 0,
    UNIQUE (mission_id, email)
);

CREATE TABLE registration (
    id                uuid PRIMARY KEY,
    programme_item_id uuid NOT NULL REFERENCES programme_item,
    person_id         uuid NOT NULL REFERENCES person,
    status            text NOT NULL CHECK (status IN
        ('pending_approval', 'confirmed', 'waitlisted', 'rejected', 'cancelled')),
    source            text NOT NULL CHECK (source IN ('self', 'import', 'partner_api', 'walk_in')),
    partner_id        uuid REFERENCES partner_organization,
    rank              bigint GENERATED ALWAYS AS IDENTITY,
    registered_at     timestamptz NOT NULL,
    checked_in_at     timestamptz,
    UNIQUE (programme_item_id, person_id)
);
CREATE INDEX registration_waiting ON registration (programme_item_id, rank) WHERE status = 'waitlisted';
CREATE INDEX registration_person ON registration (person_id);

CREATE TABLE consent (
    person_id    uuid NOT NULL REFERENCES person,
    purpose      text NOT NULL,
    text_version text NOT NULL,
    language     text NOT NULL,
    granted_at   timestamptz NOT NULL,
    PRIMARY KEY (person_id, purpose, text_version)
);
