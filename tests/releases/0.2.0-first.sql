CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.attendance (
    tenant_id bigint NOT NULL,
    lecture_id bigint NOT NULL,
    day date NOT NULL,
    student_id bigint NOT NULL,
    status character varying(16) NOT NULL
);
CREATE TABLE public.callback_endpoints (
    tenant_id bigint NOT NULL,
    url character varying(500) NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.cancelled_reservations (
    tenant_id bigint NOT NULL,
    reservation_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.credit_entries (
    id bigint NOT NULL,
    tenant_id bigint NOT NULL,
    kind character varying(16) NOT NULL,
    amount numeric(14,2) NOT NULL,
    job_id uuid,
    "position" integer,
    reference character varying(200),
    at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.credit_entries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.credit_entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.enrolments (
    tenant_id bigint NOT NULL,
    lecture_id bigint NOT NULL,
    student_id bigint NOT NULL
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
CREATE TABLE public.message_groups (
    tenant_id bigint NOT NULL,
    job_id uuid NOT NULL,
    chunk integer NOT NULL,
    state character varying(16) DEFAULT 'OPEN'::character varying NOT NULL,
    group_id character varying(64),
    send_began_at timestamp with time zone,
    sent_at timestamp with time zone
);
CREATE TABLE public.message_jobs (
    job_id uuid NOT NULL,
    tenant_id bigint NOT NULL,
    reservation_id bigint,
    advertising boolean DEFAULT false NOT NULL,
    fallback boolean DEFAULT false NOT NULL,
    template_id character varying(100),
    send_at timestamp with time zone,
    recipients integer,
    chunks integer,
    cancel_requested_at timestamp with time zone
);
CREATE TABLE public.message_occurrences (
    tenant_id bigint NOT NULL,
    occurrence bytea NOT NULL,
    job_id uuid NOT NULL,
    "position" integer NOT NULL
);
CREATE TABLE public.message_recipients (
    job_id uuid NOT NULL,
    "position" integer NOT NULL,
    tenant_id bigint NOT NULL,
    chunk integer NOT NULL,
    recipient_id character varying(100) NOT NULL,
    phone_mac bytea NOT NULL,
    masked_phone character varying(20) NOT NULL,
    sealed bytea,
    channel character varying(3) NOT NULL,
    fallback character varying(3),
    sent_as character varying(3),
    state character varying(16) DEFAULT 'PENDING'::character varying NOT NULL,
    code character varying(64),
    provider_message_id character varying(64),
    reserved numeric(14,2),
    reserved_on date,
    final_at timestamp with time zone
);
CREATE TABLE public.messaging_accounts (
    tenant_id bigint NOT NULL,
    credit_balance numeric(14,2) DEFAULT '0'::numeric NOT NULL,
    price_sms numeric(14,2) NOT NULL,
    price_lms numeric(14,2) NOT NULL,
    price_mms numeric(14,2) NOT NULL,
    price_ata numeric(14,2) NOT NULL,
    sender character varying(20),
    pf_id character varying(64),
    advertiser character varying(40),
    opt_out_number character varying(20),
    night_advertising boolean DEFAULT false NOT NULL,
    daily_cap integer,
    daily_cap_per_phone integer,
    waits_for_credit boolean DEFAULT true NOT NULL,
    CONSTRAINT ck_messaging_accounts_balance CHECK ((credit_balance >= (0)::numeric))
);
CREATE TABLE public.notification_log (
    id bigint NOT NULL,
    tenant_id bigint NOT NULL,
    job_id uuid NOT NULL,
    "position" integer NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    amount_deducted numeric(14,2) NOT NULL,
    recipient_summary character varying(40) NOT NULL,
    template_summary character varying(120) NOT NULL,
    failure_reason character varying(64)
);
ALTER TABLE public.notification_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notification_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.opt_outs (
    tenant_id bigint NOT NULL,
    phone_mac bytea NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.provider_differences (
    day date NOT NULL,
    kind character varying(32) NOT NULL,
    provider_message_id character varying(64) NOT NULL,
    tenant_id bigint,
    job_id uuid,
    "position" integer,
    ours character varying(64),
    theirs character varying(64),
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.provider_turns (
    account character varying(64) NOT NULL,
    next_at timestamp with time zone NOT NULL
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
CREATE TABLE public.sender_numbers (
    tenant_id bigint NOT NULL,
    number character varying(20) NOT NULL
);
CREATE TABLE public.service_keys (
    prefix character varying(16) NOT NULL,
    tenant_id bigint NOT NULL,
    secret_sha256 character varying(64) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone
);
CREATE TABLE public.staff (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE public.staff_hours (
    tenant_id bigint NOT NULL,
    staff_id bigint NOT NULL,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    break_minutes integer DEFAULT 0 NOT NULL,
    CONSTRAINT ck_staff_hours_order CHECK ((ended_at > began_at))
);
CREATE TABLE public.students (
    id bigint NOT NULL,
    tenant_id bigint NOT NULL,
    identity_mac bytea NOT NULL,
    likeness_mac bytea,
    sealed bytea NOT NULL,
    password_hash character varying(200),
    job_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.students ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.students_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.tenant_keys (
    tenant_id bigint NOT NULL,
    key_id integer NOT NULL,
    wrapped bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    destroyed_at timestamp with time zone,
    CONSTRAINT ck_tenant_keys_destroyed CHECK (((wrapped IS NULL) = (destroyed_at IS NOT NULL)))
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
INSERT INTO public.alembic_version VALUES ('0005');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (1, 1, 'TOP_UP', 980.00, NULL, NULL, 'start', '2026-11-28 10:02:07.965295+00');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (2, 1, 'RESERVE', -20.00, '00000000-0000-0000-0000-000000000001', 0, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (3, 1, 'RESERVE', -20.00, '00000000-0000-0000-0000-000000000002', 0, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (4, 1, 'RESERVE', -20.00, '00000000-0000-0000-0000-000000000001', 1, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (5, 1, 'RESERVE', -20.00, '00000000-0000-0000-0000-000000000002', 1, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.credit_entries OVERRIDING SYSTEM VALUE VALUES (6, 1, 'REFUND', 20.00, '00000000-0000-0000-0000-000000000001', 1, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000a', 1, 7, 'video.encode', 'k1', 'x1', NULL, 'video.encode-t7-v42-0000000a', '', NULL, 'sqs:video', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:07.950432+00', NULL, NULL, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000b', 2, 7, 'ai.ocr', 'k2', 'x2', NULL, 'ai.ocr-t7-0000000b', '', NULL, 'sqs:ai-lite', 'DONE', 0, NULL, NULL, '2026-11-28 10:02:07.950432+00', NULL, '2026-11-28 10:02:07.950432+00', NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-000000000000', 3, 1, 'messages.send', '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', NULL, '00000000-0000-0000-0000-000000000000', '', NULL, 'test', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:07.965295+00', NULL, NULL, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-000000000001', 4, 1, 'messages.send', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', NULL, '00000000-0000-0000-0000-000000000001', '', NULL, 'test', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:07.965295+00', NULL, NULL, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-000000000002', 5, 1, 'messages.send', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000002', NULL, '00000000-0000-0000-0000-000000000002', '', NULL, 'test', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:07.965295+00', NULL, NULL, NULL);
INSERT INTO public.message_groups VALUES (1, '00000000-0000-0000-0000-000000000001', 0, 'COMMITTED', 'GB', NULL, NULL);
INSERT INTO public.message_groups VALUES (1, '00000000-0000-0000-0000-000000000002', 0, 'SENT', 'GC', NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.message_jobs VALUES ('00000000-0000-0000-0000-00000000000a', 1, NULL, false, false, NULL, NULL, 2, 1, NULL);
INSERT INTO public.message_jobs VALUES ('00000000-0000-0000-0000-00000000000b', 1, NULL, false, false, NULL, NULL, 2, 1, NULL);
INSERT INTO public.message_jobs VALUES ('00000000-0000-0000-0000-000000000000', 1, NULL, false, false, NULL, NULL, 2, 1, NULL);
INSERT INTO public.message_jobs VALUES ('00000000-0000-0000-0000-000000000001', 1, NULL, false, false, NULL, NULL, 2, 1, NULL);
INSERT INTO public.message_jobs VALUES ('00000000-0000-0000-0000-000000000002', 1, NULL, false, false, NULL, NULL, 2, 1, NULL);
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000000', 0, 1, 0, 'a', '\x61', '', '\x4130', 'SMS', NULL, NULL, 'PENDING', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000000', 1, 1, 0, 'b', '\x62', '', '\x4131', 'SMS', NULL, NULL, 'PENDING', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000001', 0, 1, 0, 'a', '\x61', '', '\x4230', 'SMS', NULL, NULL, 'PENDING', NULL, 'MB0', 20.00, '2026-03-02', NULL);
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000002', 0, 1, 0, 'a', '\x61', '', '\x4330', 'SMS', NULL, NULL, 'ACCEPTED', NULL, 'MC0', 20.00, '2026-03-02', NULL);
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000001', 1, 1, 0, 'b', '\x62', '', NULL, 'SMS', NULL, NULL, 'REFUSED', '1061', NULL, 20.00, '2026-03-02', '2026-11-28 10:02:07.965295+00');
INSERT INTO public.message_recipients VALUES ('00000000-0000-0000-0000-000000000002', 1, 1, 0, 'b', '\x62', '', NULL, 'SMS', NULL, NULL, 'DELIVERED', NULL, 'MC1', 20.00, '2026-03-02', '2026-11-28 10:02:07.965295+00');
INSERT INTO public.messaging_accounts VALUES (1, 920.00, 20.00, 50.00, 110.00, 13.00, NULL, NULL, NULL, NULL, false, NULL, NULL, true);
INSERT INTO public.tenants VALUES (7, NULL, '2026-11-28 10:02:07.950432+00');
INSERT INTO public.tenants VALUES (1, NULL, '2026-11-28 10:02:07.965295+00');
INSERT INTO public.videos VALUES (7, 42, 'tenants/7/video/a.mp4', 'UPLOADED', NULL, NULL, NULL, NULL, NULL, 0, NULL, '00000000-0000-0000-0000-00000000000a', NULL, '2026-11-28 10:02:07.950432+00');
SELECT pg_catalog.setval('public.credit_entries_id_seq', 6, true);
SELECT pg_catalog.setval('public.job_events_id_seq', 1, false);
SELECT pg_catalog.setval('public.jobs_seq_seq', 5, true);
SELECT pg_catalog.setval('public.notification_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.students_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.attendance
    ADD CONSTRAINT attendance_pkey PRIMARY KEY (tenant_id, lecture_id, day, student_id);
ALTER TABLE ONLY public.callback_endpoints
    ADD CONSTRAINT callback_endpoints_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY public.cancelled_reservations
    ADD CONSTRAINT cancelled_reservations_pkey PRIMARY KEY (tenant_id, reservation_id);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT credit_entries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_pkey PRIMARY KEY (tenant_id, lecture_id, student_id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_workflow_id_key UNIQUE (workflow_id);
ALTER TABLE ONLY public.message_groups
    ADD CONSTRAINT message_groups_pkey PRIMARY KEY (tenant_id, job_id, chunk);
ALTER TABLE ONLY public.message_jobs
    ADD CONSTRAINT message_jobs_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY public.message_occurrences
    ADD CONSTRAINT message_occurrences_pkey PRIMARY KEY (tenant_id, occurrence);
ALTER TABLE ONLY public.message_recipients
    ADD CONSTRAINT message_recipients_pkey PRIMARY KEY (job_id, "position");
ALTER TABLE ONLY public.messaging_accounts
    ADD CONSTRAINT messaging_accounts_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY public.notification_log
    ADD CONSTRAINT notification_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.opt_outs
    ADD CONSTRAINT opt_outs_pkey PRIMARY KEY (tenant_id, phone_mac);
ALTER TABLE ONLY public.provider_differences
    ADD CONSTRAINT provider_differences_pkey PRIMARY KEY (day, kind, provider_message_id);
ALTER TABLE ONLY public.provider_turns
    ADD CONSTRAINT provider_turns_pkey PRIMARY KEY (account);
ALTER TABLE ONLY public.renditions
    ADD CONSTRAINT renditions_pkey PRIMARY KEY (tenant_id, video_id, name);
ALTER TABLE ONLY public.sender_numbers
    ADD CONSTRAINT sender_numbers_pkey PRIMARY KEY (tenant_id, number);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.staff_hours
    ADD CONSTRAINT staff_hours_pkey PRIMARY KEY (tenant_id, staff_id, began_at);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT students_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, key_id);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT uq_credit_entries_once UNIQUE (job_id, "position", kind);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT uq_credit_entries_reference UNIQUE (tenant_id, reference);
ALTER TABLE ONLY public.notification_log
    ADD CONSTRAINT uq_notification_log_once UNIQUE (job_id, "position");
ALTER TABLE ONLY public.students
    ADD CONSTRAINT uq_students_identity UNIQUE (identity_mac, tenant_id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT uq_students_tenant UNIQUE (id, tenant_id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_pkey PRIMARY KEY (tenant_id, id);
CREATE INDEX ix_job_events_job ON public.job_events USING btree (job_id, id);
CREATE INDEX ix_jobs_external ON public.jobs USING btree (tenant_id, external_id);
CREATE INDEX ix_jobs_open ON public.jobs USING btree (checked_at, accepted_at) WHERE (finished_at IS NULL);
CREATE UNIQUE INDEX ix_message_groups_group ON public.message_groups USING btree (group_id);
CREATE INDEX ix_message_groups_unfinished ON public.message_groups USING btree (sent_at) WHERE ((state)::text <> ALL ((ARRAY['DONE'::character varying, 'CANCELLED'::character varying])::text[]));
CREATE INDEX ix_message_occurrences_holder ON public.message_occurrences USING btree (job_id, "position");
CREATE INDEX ix_message_recipients_chunk ON public.message_recipients USING btree (job_id, chunk);
CREATE INDEX ix_message_recipients_day ON public.message_recipients USING btree (tenant_id, reserved_on, phone_mac);
CREATE INDEX ix_message_recipients_provider ON public.message_recipients USING btree (provider_message_id);
CREATE INDEX ix_notification_log_tenant ON public.notification_log USING btree (tenant_id, sent_at);
CREATE INDEX ix_staff_hours_month ON public.staff_hours USING btree (tenant_id, began_at);
CREATE INDEX ix_students_likeness ON public.students USING btree (likeness_mac);
CREATE INDEX ix_videos_current_job ON public.videos USING btree (current_job);
CREATE UNIQUE INDEX uq_jobs_open_subject ON public.jobs USING btree (tenant_id, subject) NULLS NOT DISTINCT WHERE ((finished_at IS NULL) AND (subject IS NOT NULL));
CREATE UNIQUE INDEX uq_jobs_wish ON public.jobs USING btree (tenant_id, job_type, idempotency_key) NULLS NOT DISTINCT;
ALTER TABLE ONLY public.attendance
    ADD CONSTRAINT attendance_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.callback_endpoints
    ADD CONSTRAINT callback_endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.cancelled_reservations
    ADD CONSTRAINT cancelled_reservations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT credit_entries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.message_groups
    ADD CONSTRAINT message_groups_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.message_jobs
    ADD CONSTRAINT message_jobs_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.message_occurrences
    ADD CONSTRAINT message_occurrences_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.message_recipients
    ADD CONSTRAINT message_recipients_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.messaging_accounts
    ADD CONSTRAINT messaging_accounts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.notification_log
    ADD CONSTRAINT notification_log_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.opt_outs
    ADD CONSTRAINT opt_outs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.sender_numbers
    ADD CONSTRAINT sender_numbers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.staff_hours
    ADD CONSTRAINT staff_hours_tenant_id_staff_id_fkey FOREIGN KEY (tenant_id, staff_id) REFERENCES public.staff(tenant_id, id);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT students_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_current_job_fkey FOREIGN KEY (current_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_published_job_fkey FOREIGN KEY (published_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
