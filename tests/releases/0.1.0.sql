CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.job_events (
    id bigint NOT NULL,
    job_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind character varying(32) NOT NULL,
    detail jsonb
);
ALTER TABLE public.job_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.job_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.jobs (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    tenant_id bigint,
    job_type character varying(64) NOT NULL,
    idempotency_key character varying(200) NOT NULL,
    external_id character varying(100) NOT NULL,
    subject character varying(200),
    workflow_id character varying(200) NOT NULL,
    payload_sha256 character varying(64) NOT NULL,
    sealed_payload bytea,
    source character varying(32) NOT NULL,
    state character varying(32) DEFAULT 'PENDING'::character varying NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    error_code character varying(64),
    result jsonb,
    accepted_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    checked_at timestamp with time zone
);
ALTER TABLE public.jobs ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.jobs_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.renditions (
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    name character varying(16) NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    codecs character varying(64) NOT NULL,
    bandwidth bigint NOT NULL,
    average_bandwidth bigint NOT NULL,
    segments integer NOT NULL,
    size bigint NOT NULL
);
CREATE TABLE public.service_keys (
    prefix character varying(16) NOT NULL,
    tenant_id bigint NOT NULL,
    secret_sha256 character varying(64) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone
);
CREATE TABLE public.tenants (
    id bigint NOT NULL,
    code character varying(64),
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.videos (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    file_key character varying(500) NOT NULL,
    status character varying(16) DEFAULT 'UPLOADED'::character varying NOT NULL,
    error_code character varying(64),
    hls_path character varying(500),
    hls_prefix character varying(500),
    replaced_prefix character varying(500),
    duration double precision,
    published_seq bigint DEFAULT '0'::bigint NOT NULL,
    published_job uuid,
    current_job uuid,
    deleted_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000a', 1, 7, 'video.encode', 'k1', 'x1', NULL, 'video.encode-t7-v42-0000000a', '', NULL, 'sqs:video', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:05.264291+00', NULL, NULL, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000b', 2, 7, 'ai.ocr', 'k2', 'x2', NULL, 'ai.ocr-t7-0000000b', '', NULL, 'sqs:ai-lite', 'DONE', 0, NULL, NULL, '2026-11-28 10:02:05.264291+00', NULL, '2026-11-28 10:02:05.264291+00', NULL);
INSERT INTO public.tenants VALUES (7, NULL, '2026-11-28 10:02:05.264291+00');
INSERT INTO public.videos VALUES (7, 42, 'tenants/7/video/a.mp4', 'UPLOADED', NULL, NULL, NULL, NULL, NULL, 0, NULL, '00000000-0000-0000-0000-00000000000a', NULL, '2026-11-28 10:02:05.264291+00');
SELECT pg_catalog.setval('public.job_events_id_seq', 1, false);
SELECT pg_catalog.setval('public.jobs_seq_seq', 2, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_workflow_id_key UNIQUE (workflow_id);
ALTER TABLE ONLY public.renditions
    ADD CONSTRAINT renditions_pkey PRIMARY KEY (tenant_id, video_id, name);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_pkey PRIMARY KEY (tenant_id, id);
CREATE INDEX ix_job_events_job ON public.job_events USING btree (job_id, id);
CREATE INDEX ix_jobs_external ON public.jobs USING btree (tenant_id, external_id);
CREATE INDEX ix_jobs_open ON public.jobs USING btree (checked_at, accepted_at) WHERE (finished_at IS NULL);
CREATE INDEX ix_videos_current_job ON public.videos USING btree (current_job);
CREATE UNIQUE INDEX uq_jobs_open_subject ON public.jobs USING btree (tenant_id, subject) NULLS NOT DISTINCT WHERE ((finished_at IS NULL) AND (subject IS NOT NULL));
CREATE UNIQUE INDEX uq_jobs_wish ON public.jobs USING btree (tenant_id, job_type, idempotency_key) NULLS NOT DISTINCT;
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_current_job_fkey FOREIGN KEY (current_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_published_job_fkey FOREIGN KEY (published_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
