CREATE FUNCTION public.keep_audit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '366 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'records of the audit are kept as they are' USING ERRCODE = 'AU001';
END $$;
CREATE FUNCTION public.refuse_erased() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE erased timestamptz;
BEGIN
    FOR erased IN SELECT t.erased_at FROM tenants t
        WHERE t.id IN (SELECT DISTINCT w.tenant_id FROM written w) ORDER BY t.id FOR KEY SHARE
    LOOP
        IF erased IS NOT NULL THEN
            RAISE EXCEPTION 'the tenant was erased' USING ERRCODE = 'ER001';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.alimtalk_templates (
    tenant_id bigint NOT NULL,
    template_id character varying(100) NOT NULL,
    name character varying(200) NOT NULL,
    status character varying(20) NOT NULL,
    remark character varying(1000),
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.attendance (
    tenant_id bigint NOT NULL,
    lecture_id bigint NOT NULL,
    day date NOT NULL,
    student_id bigint NOT NULL,
    status character varying(16) NOT NULL
);
CREATE TABLE public.audit_records (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    caller character varying(220) NOT NULL,
    tenant_id bigint,
    operation character varying(200) NOT NULL,
    about jsonb NOT NULL,
    status integer NOT NULL,
    address character varying(64) NOT NULL,
    request_id character varying(64) NOT NULL
);
ALTER TABLE public.audit_records ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_records_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.callback_endpoints (
    tenant_id bigint NOT NULL,
    url character varying(500) NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    messages boolean DEFAULT false NOT NULL
);
CREATE TABLE public.cancelled_reservations (
    tenant_id bigint NOT NULL,
    reservation_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.captions (
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    id uuid NOT NULL,
    language character varying(35) NOT NULL,
    name character varying(100) NOT NULL,
    origin character varying(16) NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    prefix character varying(500) NOT NULL,
    cues integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE public.class_ids
    START WITH 1000000000000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.classes (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    title character varying(100) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
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
    student_id bigint NOT NULL,
    job_id uuid
);
CREATE TABLE public.idempotency_keys (
    tenant_id bigint NOT NULL,
    key character varying(100) NOT NULL,
    request_hash character varying(64) NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    status integer,
    sealed_answer bytea
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
    checked_at timestamp with time zone,
    video_id bigint,
    restored_at timestamp with time zone,
    upload_id uuid
);
ALTER TABLE public.jobs ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.jobs_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.joined_requests (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    tenant_id bigint,
    idempotency_key character varying(200) NOT NULL,
    external_id character varying(100) NOT NULL,
    video_id bigint,
    payload_sha256 character varying(64) NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.lecture_sessions (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    lecture_id bigint NOT NULL,
    day date NOT NULL
);
CREATE TABLE public.message_chunks (
    job_id uuid NOT NULL,
    chunk integer NOT NULL,
    tenant_id bigint NOT NULL,
    sealed bytea[],
    reserved_on date,
    reserved integer DEFAULT 0 NOT NULL,
    positions integer[],
    provider_ids character varying(64)[]
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
    cancel_requested_at timestamp with time zone,
    expires_at timestamp with time zone,
    notes jsonb,
    asked_by character varying(220),
    approval character varying(16),
    decided_by character varying(220),
    decided_at timestamp with time zone,
    class_ids bigint[]
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
    channel character varying(3) NOT NULL,
    fallback character varying(3),
    sent_as character varying(3),
    state character varying(16) DEFAULT 'PENDING'::character varying NOT NULL,
    code character varying(64),
    final_at timestamp with time zone,
    merged_into integer
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
    approval_above integer,
    approval_of_systems boolean DEFAULT false NOT NULL,
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
CREATE TABLE public.orphans (
    prefix character varying(500) NOT NULL,
    objects integer NOT NULL,
    size bigint NOT NULL,
    why character varying(64) NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    removed_at timestamp with time zone
);
CREATE TABLE public.playback_sessions (
    id uuid NOT NULL,
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    student_id bigint,
    hls_prefix character varying(500) NOT NULL,
    policy_version character varying(16) NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason character varying(32)
);
CREATE TABLE public.playback_violations (
    id bigint NOT NULL,
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    student_id bigint NOT NULL,
    session_id uuid NOT NULL,
    kind character varying(32) NOT NULL,
    "position" double precision NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.playback_violations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.playback_violations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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
CREATE TABLE public.roster_columns (
    tenant_id bigint NOT NULL,
    header_mac bytea NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.search_texts (
    tenant_id bigint NOT NULL,
    id uuid NOT NULL,
    video_id bigint,
    job_id uuid,
    object_key character varying(600) NOT NULL,
    key_id integer NOT NULL,
    pieces integer[] NOT NULL,
    problem character varying(64),
    indexed_at timestamp with time zone DEFAULT now() NOT NULL
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
    revoked_at timestamp with time zone,
    rights character varying(100)
);
CREATE TABLE public.session_enrolments (
    tenant_id bigint NOT NULL,
    session_id bigint NOT NULL,
    student_id bigint NOT NULL
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
CREATE TABLE public.staff_sessions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    secret_sha256 character varying(64) NOT NULL,
    purpose character varying(16) NOT NULL,
    sub character varying(200) NOT NULL,
    tenant_id bigint,
    operator boolean NOT NULL,
    rights character varying(100) NOT NULL,
    token_sha256 character varying(64),
    authenticated_at timestamp with time zone NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE TABLE public.student_changes (
    id bigint NOT NULL,
    tenant_id bigint NOT NULL,
    student_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    job_id uuid,
    before_job_id uuid,
    who character varying(200),
    sealed bytea NOT NULL
);
ALTER TABLE public.student_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.student_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    left_at timestamp with time zone
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    erasing_at timestamp with time zone,
    erased_at timestamp with time zone
);
CREATE TABLE public.text_templates (
    tenant_id bigint NOT NULL,
    name character varying(60) NOT NULL,
    version integer NOT NULL,
    sealed bytea NOT NULL,
    written_by character varying(220) NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.uploads (
    id uuid NOT NULL,
    tenant_id bigint NOT NULL,
    purpose character varying(16) NOT NULL,
    file_key character varying(500) NOT NULL,
    content_type character varying(100) NOT NULL,
    size bigint,
    multipart_id character varying(1024),
    part_size bigint,
    video_id bigint,
    state character varying(16) DEFAULT 'open'::character varying NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL,
    sealed_name bytea
);
CREATE TABLE public.video_access (
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    student_id bigint NOT NULL,
    access_mode character varying(16),
    blocked boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.video_ids
    START WITH 1000000000000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.video_progress (
    tenant_id bigint NOT NULL,
    video_id bigint NOT NULL,
    student_id bigint NOT NULL,
    furthest double precision DEFAULT '0'::double precision NOT NULL,
    slack double precision DEFAULT '3'::double precision NOT NULL,
    beat_at timestamp with time zone DEFAULT now() NOT NULL,
    progress double precision DEFAULT '0'::double precision NOT NULL,
    proctored_completed_at timestamp with time zone
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
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    title character varying(200),
    has_pictures boolean DEFAULT false NOT NULL,
    session_id bigint,
    policy_version integer DEFAULT 1 NOT NULL,
    subtitles_key character varying(500),
    chapters jsonb,
    download_lines integer,
    download_key character varying(500)
);
INSERT INTO public.alembic_version VALUES ('0027');
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000a', 1, 7, 'video.encode', 'k1', 'x1', NULL, 'video.encode-t7-v42-0000000a', '', NULL, 'sqs:video', 'PENDING', 0, NULL, NULL, '2026-11-28 10:02:16.06785+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.jobs OVERRIDING SYSTEM VALUE VALUES ('00000000-0000-0000-0000-00000000000b', 2, 7, 'ai.ocr', 'k2', 'x2', NULL, 'ai.ocr-t7-0000000b', '', NULL, 'sqs:ai-lite', 'DONE', 0, NULL, NULL, '2026-11-28 10:02:16.06785+00', NULL, '2026-11-28 10:02:16.06785+00', NULL, NULL, NULL, NULL);
INSERT INTO public.tenants VALUES (7, NULL, '2026-11-28 10:02:16.06785+00', NULL, NULL);
INSERT INTO public.videos VALUES (7, 42, 'tenants/7/video/a.mp4', 'UPLOADED', NULL, NULL, NULL, NULL, NULL, 0, NULL, '00000000-0000-0000-0000-00000000000a', NULL, '2026-11-28 10:02:16.06785+00', NULL, false, NULL, 1, NULL, NULL, NULL, NULL);
SELECT pg_catalog.setval('public.audit_records_id_seq', 1, false);
SELECT pg_catalog.setval('public.class_ids', 1000000000000, false);
SELECT pg_catalog.setval('public.credit_entries_id_seq', 1, false);
SELECT pg_catalog.setval('public.job_events_id_seq', 1, false);
SELECT pg_catalog.setval('public.jobs_seq_seq', 2, true);
SELECT pg_catalog.setval('public.notification_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.playback_violations_id_seq', 1, false);
SELECT pg_catalog.setval('public.student_changes_id_seq', 1, false);
SELECT pg_catalog.setval('public.students_id_seq', 1, false);
SELECT pg_catalog.setval('public.video_ids', 1000000000000, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.alimtalk_templates
    ADD CONSTRAINT alimtalk_templates_pkey PRIMARY KEY (tenant_id, template_id);
ALTER TABLE ONLY public.attendance
    ADD CONSTRAINT attendance_pkey PRIMARY KEY (tenant_id, lecture_id, day, student_id);
ALTER TABLE ONLY public.audit_records
    ADD CONSTRAINT audit_records_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.callback_endpoints
    ADD CONSTRAINT callback_endpoints_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY public.cancelled_reservations
    ADD CONSTRAINT cancelled_reservations_pkey PRIMARY KEY (tenant_id, reservation_id);
ALTER TABLE ONLY public.captions
    ADD CONSTRAINT captions_pkey PRIMARY KEY (tenant_id, video_id, id);
ALTER TABLE ONLY public.classes
    ADD CONSTRAINT classes_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT credit_entries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_pkey PRIMARY KEY (tenant_id, lecture_id, student_id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, key);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_workflow_id_key UNIQUE (workflow_id);
ALTER TABLE ONLY public.joined_requests
    ADD CONSTRAINT joined_requests_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.lecture_sessions
    ADD CONSTRAINT lecture_sessions_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.message_chunks
    ADD CONSTRAINT message_chunks_pkey PRIMARY KEY (job_id, chunk);
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
ALTER TABLE ONLY public.orphans
    ADD CONSTRAINT orphans_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.playback_sessions
    ADD CONSTRAINT playback_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.playback_violations
    ADD CONSTRAINT playback_violations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider_differences
    ADD CONSTRAINT provider_differences_pkey PRIMARY KEY (day, kind, provider_message_id);
ALTER TABLE ONLY public.provider_turns
    ADD CONSTRAINT provider_turns_pkey PRIMARY KEY (account);
ALTER TABLE ONLY public.renditions
    ADD CONSTRAINT renditions_pkey PRIMARY KEY (tenant_id, video_id, name);
ALTER TABLE ONLY public.roster_columns
    ADD CONSTRAINT roster_columns_pkey PRIMARY KEY (tenant_id, header_mac);
ALTER TABLE ONLY public.search_texts
    ADD CONSTRAINT search_texts_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.sender_numbers
    ADD CONSTRAINT sender_numbers_pkey PRIMARY KEY (tenant_id, number);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.session_enrolments
    ADD CONSTRAINT session_enrolments_pkey PRIMARY KEY (tenant_id, session_id, student_id);
ALTER TABLE ONLY public.staff_hours
    ADD CONSTRAINT staff_hours_pkey PRIMARY KEY (tenant_id, staff_id, began_at);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.staff_sessions
    ADD CONSTRAINT staff_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.staff_sessions
    ADD CONSTRAINT staff_sessions_secret_sha256_key UNIQUE (secret_sha256);
ALTER TABLE ONLY public.student_changes
    ADD CONSTRAINT student_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT students_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, key_id);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.text_templates
    ADD CONSTRAINT text_templates_pkey PRIMARY KEY (tenant_id, name, version);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.captions
    ADD CONSTRAINT uq_captions_name UNIQUE (tenant_id, video_id, language, name);
ALTER TABLE ONLY public.credit_entries
    ADD CONSTRAINT uq_credit_entries_once UNIQUE (job_id, "position", kind);
ALTER TABLE ONLY public.notification_log
    ADD CONSTRAINT uq_notification_log_once UNIQUE (job_id, "position");
ALTER TABLE ONLY public.students
    ADD CONSTRAINT uq_students_identity UNIQUE (identity_mac, tenant_id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT uq_students_tenant UNIQUE (id, tenant_id);
ALTER TABLE ONLY public.video_access
    ADD CONSTRAINT video_access_pkey PRIMARY KEY (tenant_id, video_id, student_id);
ALTER TABLE ONLY public.video_progress
    ADD CONSTRAINT video_progress_pkey PRIMARY KEY (tenant_id, video_id, student_id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_pkey PRIMARY KEY (tenant_id, id);
CREATE INDEX ix_audit_records_at ON public.audit_records USING btree (at);
CREATE INDEX ix_audit_records_student ON public.audit_records USING btree (tenant_id, ((about ->> 'student_id'::text)), id) WHERE ((about ->> 'student_id'::text) IS NOT NULL);
CREATE INDEX ix_audit_records_tenant ON public.audit_records USING btree (tenant_id, id);
CREATE INDEX ix_idempotency_keys_claimed_at ON public.idempotency_keys USING btree (claimed_at);
CREATE INDEX ix_job_events_job ON public.job_events USING btree (job_id, id);
CREATE INDEX ix_jobs_documents ON public.jobs USING btree (finished_at, tenant_id, id) WHERE (((job_type)::text = 'ai.ocr'::text) AND (((result -> 'files'::text) ->> 'text.txt'::text) IS NOT NULL));
CREATE INDEX ix_jobs_external ON public.jobs USING btree (tenant_id, external_id);
CREATE INDEX ix_jobs_finished ON public.jobs USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX ix_jobs_kept_payload ON public.jobs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (sealed_payload IS NOT NULL));
CREATE INDEX ix_jobs_open ON public.jobs USING btree (checked_at, accepted_at) WHERE (finished_at IS NULL);
CREATE INDEX ix_jobs_tenant ON public.jobs USING btree (tenant_id, seq);
CREATE INDEX ix_jobs_tenant_state ON public.jobs USING btree (tenant_id, state, seq);
CREATE INDEX ix_jobs_video ON public.jobs USING btree (tenant_id, video_id) WHERE (video_id IS NOT NULL);
CREATE INDEX ix_joined_requests_external ON public.joined_requests USING btree (tenant_id, external_id);
CREATE INDEX ix_joined_requests_video ON public.joined_requests USING btree (tenant_id, video_id);
CREATE INDEX ix_message_chunks_day ON public.message_chunks USING btree (tenant_id, reserved_on);
CREATE UNIQUE INDEX ix_message_groups_group ON public.message_groups USING btree (group_id);
CREATE INDEX ix_message_groups_job ON public.message_groups USING btree (job_id);
CREATE INDEX ix_message_groups_unfinished ON public.message_groups USING btree (sent_at) WHERE ((state)::text <> ALL (ARRAY[('DONE'::character varying)::text, ('CANCELLED'::character varying)::text]));
CREATE INDEX ix_message_jobs_waiting ON public.message_jobs USING btree (tenant_id) WHERE ((approval)::text = 'WAITING'::text);
CREATE INDEX ix_message_occurrences_holder ON public.message_occurrences USING btree (job_id, "position");
CREATE INDEX ix_message_recipients_merged ON public.message_recipients USING btree (job_id) WHERE (merged_into IS NOT NULL);
CREATE INDEX ix_message_recipients_phone ON public.message_recipients USING btree (tenant_id, phone_mac);
CREATE INDEX ix_notification_log_tenant ON public.notification_log USING btree (tenant_id, sent_at);
CREATE INDEX ix_playback_violations_student ON public.playback_violations USING btree (tenant_id, student_id, video_id, at);
CREATE UNIQUE INDEX ix_search_texts_job ON public.search_texts USING btree (job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX ix_search_texts_pieces ON public.search_texts USING gin (pieces);
CREATE INDEX ix_staff_hours_month ON public.staff_hours USING btree (tenant_id, began_at);
CREATE INDEX ix_staff_sessions_sub ON public.staff_sessions USING btree (sub) WHERE (ended_at IS NULL);
CREATE INDEX ix_staff_sessions_token ON public.staff_sessions USING btree (token_sha256) WHERE (token_sha256 IS NOT NULL);
CREATE INDEX ix_staff_sessions_used ON public.staff_sessions USING btree (used_at);
CREATE INDEX ix_student_changes_job ON public.student_changes USING btree (job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX ix_student_changes_student ON public.student_changes USING btree (student_id, id);
CREATE INDEX ix_students_likeness ON public.students USING btree (likeness_mac);
CREATE INDEX ix_students_list ON public.students USING btree (((tenant_id + 0)));
CREATE INDEX ix_uploads_open ON public.uploads USING btree (touched_at) WHERE ((state)::text = 'open'::text);
CREATE INDEX ix_uploads_video ON public.uploads USING btree (tenant_id, video_id) WHERE (video_id IS NOT NULL);
CREATE INDEX ix_videos_current_job ON public.videos USING btree (current_job);
CREATE UNIQUE INDEX uq_credit_entries_reference ON public.credit_entries USING btree (tenant_id, reference) WHERE (reference IS NOT NULL);
CREATE UNIQUE INDEX uq_jobs_open_subject ON public.jobs USING btree (tenant_id, subject) NULLS NOT DISTINCT WHERE ((finished_at IS NULL) AND (subject IS NOT NULL));
CREATE UNIQUE INDEX uq_jobs_wish ON public.jobs USING btree (tenant_id, job_type, idempotency_key) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX uq_playback_sessions_student ON public.playback_sessions USING btree (tenant_id, student_id) WHERE ((ended_at IS NULL) AND (student_id IS NOT NULL));
CREATE TRIGGER keep_all_audit BEFORE TRUNCATE ON public.audit_records FOR EACH STATEMENT EXECUTE FUNCTION public.keep_audit();
CREATE TRIGGER keep_audit BEFORE DELETE OR UPDATE ON public.audit_records FOR EACH ROW EXECUTE FUNCTION public.keep_audit();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.alimtalk_templates REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.attendance REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.callback_endpoints REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.cancelled_reservations REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.captions REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.classes REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.enrolments REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.idempotency_keys REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.jobs REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.joined_requests REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.lecture_sessions REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.message_chunks REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.message_groups REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.message_jobs REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.message_occurrences REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.message_recipients REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.notification_log REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.opt_outs REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.playback_sessions REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.playback_violations REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.provider_differences REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.renditions REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.roster_columns REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.search_texts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.sender_numbers REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.service_keys REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.session_enrolments REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.staff REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.staff_hours REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.staff_sessions REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.student_changes REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.students REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.text_templates REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.uploads REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.video_access REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.video_progress REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
CREATE TRIGGER refuse_erased AFTER INSERT ON public.videos REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_erased();
ALTER TABLE ONLY public.alimtalk_templates
    ADD CONSTRAINT alimtalk_templates_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.attendance
    ADD CONSTRAINT attendance_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.callback_endpoints
    ADD CONSTRAINT callback_endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.cancelled_reservations
    ADD CONSTRAINT cancelled_reservations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.captions
    ADD CONSTRAINT captions_tenant_id_video_id_fkey FOREIGN KEY (tenant_id, video_id) REFERENCES public.videos(tenant_id, id);
ALTER TABLE ONLY public.classes
    ADD CONSTRAINT classes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.joined_requests
    ADD CONSTRAINT joined_requests_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.message_chunks
    ADD CONSTRAINT message_chunks_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.message_groups
    ADD CONSTRAINT message_groups_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.message_jobs
    ADD CONSTRAINT message_jobs_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.message_occurrences
    ADD CONSTRAINT message_occurrences_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.message_jobs(job_id);
ALTER TABLE ONLY public.messaging_accounts
    ADD CONSTRAINT messaging_accounts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.notification_log
    ADD CONSTRAINT notification_log_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.opt_outs
    ADD CONSTRAINT opt_outs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.playback_sessions
    ADD CONSTRAINT playback_sessions_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.playback_sessions
    ADD CONSTRAINT playback_sessions_tenant_id_video_id_fkey FOREIGN KEY (tenant_id, video_id) REFERENCES public.videos(tenant_id, id);
ALTER TABLE ONLY public.playback_violations
    ADD CONSTRAINT playback_violations_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.playback_sessions(id);
ALTER TABLE ONLY public.roster_columns
    ADD CONSTRAINT roster_columns_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.search_texts
    ADD CONSTRAINT search_texts_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.search_texts
    ADD CONSTRAINT search_texts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.search_texts
    ADD CONSTRAINT search_texts_tenant_id_video_id_id_fkey FOREIGN KEY (tenant_id, video_id, id) REFERENCES public.captions(tenant_id, video_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sender_numbers
    ADD CONSTRAINT sender_numbers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.session_enrolments
    ADD CONSTRAINT session_enrolments_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES public.lecture_sessions(tenant_id, id);
ALTER TABLE ONLY public.session_enrolments
    ADD CONSTRAINT session_enrolments_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.staff_hours
    ADD CONSTRAINT staff_hours_tenant_id_staff_id_fkey FOREIGN KEY (tenant_id, staff_id) REFERENCES public.staff(tenant_id, id);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.student_changes
    ADD CONSTRAINT student_changes_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.students
    ADD CONSTRAINT students_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.text_templates
    ADD CONSTRAINT text_templates_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.video_access
    ADD CONSTRAINT video_access_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.video_access
    ADD CONSTRAINT video_access_tenant_id_video_id_fkey FOREIGN KEY (tenant_id, video_id) REFERENCES public.videos(tenant_id, id);
ALTER TABLE ONLY public.video_progress
    ADD CONSTRAINT video_progress_tenant_id_student_id_fkey FOREIGN KEY (tenant_id, student_id) REFERENCES public.students(tenant_id, id);
ALTER TABLE ONLY public.video_progress
    ADD CONSTRAINT video_progress_tenant_id_video_id_fkey FOREIGN KEY (tenant_id, video_id) REFERENCES public.videos(tenant_id, id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_current_job_fkey FOREIGN KEY (current_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_published_job_fkey FOREIGN KEY (published_job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
