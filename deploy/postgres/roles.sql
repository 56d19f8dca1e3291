-- A role for each process, with the tables that its code uses and no others. For psql, as the owner of the tables, after
-- each migration; it may be run again at any time. Passwords come from the environment, so that no command line has them:
--
--   ROLE_PASSWORD_API=… ROLE_PASSWORD_VIDEO=… psql --file roles.sql
--
-- A role without one keeps the password that it has; with DB_AUTH=iam: GRANT rds_iam TO academy_api, and so on.
-- Migrations and what operators type (`academy`) are the owner's; `academy key` is content with the role of the API.

\set ON_ERROR_STOP on
BEGIN;

CREATE TEMPORARY TABLE allowed (process text, tables text[]) ON COMMIT DROP;
INSERT INTO allowed VALUES
    ('bridge', '{job_events,jobs,joined_requests,orphans,tenant_keys,tenants,videos}'),
    ('video', '{captions,job_events,jobs,joined_requests,orphans,renditions,tenant_keys,tenants,video_progress,videos}'),
    ('ai', '{attendance,cancelled_reservations,captions,credit_entries,enrolments,job_events,jobs,joined_requests,
        lecture_sessions,message_chunks,message_digests,message_groups,message_jobs,message_occurrences,message_recipients,messaging_accounts,notification_log,opt_outs,
        orphans,renditions,sender_numbers,session_enrolments,staff,staff_hours,student_changes,students,tenant_keys,tenants,
        video_progress,videos}'),
    ('messaging', '{alimtalk_templates,callback_endpoints,cancelled_reservations,captions,credit_entries,job_events,jobs,joined_requests,
        mail_attempts,mail_servers,message_chunks,message_digests,message_groups,
        message_jobs,message_occurrences,message_recipients,messaging_accounts,notification_log,opt_outs,orphans,
        provider_differences,provider_turns,renditions,sender_numbers,tenant_keys,tenants,video_progress,videos}'),
    ('ops', '{audit_records,callback_endpoints,cancelled_reservations,captions,credit_entries,enrolments,mail_attempts,
        idempotency_keys,job_events,jobs,joined_requests,message_chunks,message_digests,message_groups,message_jobs,
        message_occurrences,message_recipients,messaging_accounts,notification_log,opt_outs,orphans,
        playback_sessions,playback_violations,provider_differences,renditions,search_texts,sender_numbers,
        service_keys,staff_sessions,students,tenant_keys,tenants,uploads,video_progress,videos}'),
    ('api', '{alimtalk_templates,attendance,audit_records,callback_endpoints,cancelled_reservations,captions,classes,
        mail_servers,
        credit_entries,
        enrolments,idempotency_keys,
        job_events,jobs,joined_requests,lecture_sessions,message_chunks,message_digests,message_groups,message_jobs,
        message_occurrences,message_recipients,messaging_accounts,notification_log,opt_outs,orphans,
        playback_sessions,playback_violations,provider_turns,renditions,roster_columns,search_texts,sender_numbers,service_keys,
        session_enrolments,staff_sessions,student_changes,students,tenant_keys,tenants,text_templates,uploads,video_access,video_progress,
        videos}');

DO $$
DECLARE
    -- What was done stays written. The job that ends what was kept for long enough is of `ops`.
    append_only CONSTANT text[] := '{audit_records,credit_entries,job_events,notification_log}';
    ends CONSTANT text[] := '{audit_records,job_events,notification_log}';
    each record;
    name text;
    role text;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    FOR each IN SELECT process, tables FROM allowed LOOP
        role := 'academy_' || each.process;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        FOREACH name IN ARRAY each.tables LOOP
            EXECUTE format('GRANT SELECT, INSERT ON %I TO %I', name, role);
            IF NOT name = ANY (append_only) OR (each.process = 'ops' AND name = ANY (ends)) THEN
                EXECUTE format('GRANT UPDATE, DELETE ON %I TO %I', name, role);
            END IF;
        END LOOP;
        IF each.process = 'api' THEN  -- numbers of what begins there
            EXECUTE format('GRANT USAGE ON SEQUENCE video_ids, class_ids TO %I', role);
        END IF;
        -- Those that a connection asks for itself (`clients/database/engine.py`); a pooler does not pass them on.
        EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', role, '15s');
        EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', role, '5s');
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', role, '30s');
    END LOOP;
END $$;

\getenv api ROLE_PASSWORD_API
\getenv bridge ROLE_PASSWORD_BRIDGE
\getenv video ROLE_PASSWORD_VIDEO
\getenv ai ROLE_PASSWORD_AI
\getenv messaging ROLE_PASSWORD_MESSAGING
\getenv ops ROLE_PASSWORD_OPS
\if :{?api}
ALTER ROLE academy_api PASSWORD :'api';
\endif
\if :{?bridge}
ALTER ROLE academy_bridge PASSWORD :'bridge';
\endif
\if :{?video}
ALTER ROLE academy_video PASSWORD :'video';
\endif
\if :{?ai}
ALTER ROLE academy_ai PASSWORD :'ai';
\endif
\if :{?messaging}
ALTER ROLE academy_messaging PASSWORD :'messaging';
\endif
\if :{?ops}
ALTER ROLE academy_ops PASSWORD :'ops';
\endif

COMMIT;
