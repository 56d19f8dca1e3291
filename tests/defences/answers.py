"""Odd answers of servers, and what was read from paper: nothing is concluded from what is not proven."""

from tests.defences import Defence

_OBJECTS, _STORE = "clients/objects.py", "tests/integration/test_odd_store.py"
_PUBLICATION, _REDIS = "activities/video/publication.py", "tests/unit/test_odd_redis.py"
_ASKED, _MODELS = "activities/ai/inference/asking.py", "tests/integration/test_inference.py"
_PROVIDER = "tests/unit/test_message_templates.py"
_OCR, _READ, _READER = "activities/ai/tasks/ocr", "tests/unit/test_ocr.py", "tests/unit/test_reader.py"
_PROVEN = f"{_STORE}::test_only_what_is_proven_ends_a_lecture"

ANSWERS = (
    Defence(
        "restored-trim-moves-along",
        "intake/ending.py",
        "publish = partial(trims.publish, part=part) if part else videos.publish",
        "publish = videos.publish",
        "tests/faults/test_restored.py::test_what_a_trim_has_moved_is_moved_again",
    ),
    Defence(
        "head-404-of-others", _OBJECTS, "if key in (listed for", "if False and key in (listed for", _PROVEN
    ),
    Defence(
        "404-of-others",
        _OBJECTS,
        'if _status(error) == 404 and error.response.get("Error", {}).get("Code") in NOT_THERE:',
        "if _status(error) == 404:",
        f"{_STORE}::test_a_404_of_others_is_no_missing_object",
    ),
    Defence("page-is-no-list", _OBJECTS, 'if page.get("Name") != self._bucket:', "if False:", _PROVEN),
    Defence(
        "change-that-was-none",
        _OBJECTS,
        'if meant is not error and self._head(source.key)["ETag"] == source.etag:',
        "if False:",
        _PROVEN,
    ),
    Defence(
        "list-that-is-behind",
        _PUBLICATION,
        '_require(_is_there(self._objects, segment), f"',
        '_require(False, f"',
        f"{_STORE}::test_a_list_that_is_behind_fails_no_lecture",
    ),
    Defence(
        "manifest-that-came-altered",
        _PUBLICATION,
        "_require(not objects.same(objects.head(manifest.key), md5(data)), f",
        "_require(False, f",
        f"{_STORE}::test_a_manifest_that_came_altered_is_not_one_that_was",
    ),
    Defence(
        "cluster-of-which-nobody-answers",
        "clients/progress.py",
        "SICK = (RedisError, RedisClusterException, OSError)",
        "SICK = (RedisError, OSError)",
        f"{_REDIS}::test_a_cluster_of_which_nobody_answers_stops_nothing",
    ),
    Defence(
        "redis-holds-something-else",
        "clients/progress.py",
        "except ValueError as error:",
        "except ZeroDivisionError as error:",
        f"{_REDIS}::test_no_answer_of_redis_stops_anything",
    ),
    Defence(
        "model-server-speaks-of-itself",
        "clients/inference.py",
        "if status == 413 or (status in OF_THE_REQUEST and await _is_json(answer)):",
        "if True:",
        f"{_MODELS}::test_what_a_status_means",
    ),
    Defence(
        "page-in-place-of-a-model",
        "clients/inference.py",
        'if error.errors(include_input=False)[0]["type"] == "json_invalid":',
        "if False:",
        f"{_MODELS}::test_a_page_is_no_answer",
    ),
    Defence(
        "model-of-another-protocol",
        _ASKED,
        "final = not isinstance(error, NotOfProtocol) or _tried()",
        "final = True",
        f"{_MODELS}::test_another_shape_ends_a_job_when_it_stays",
    ),
    Defence(
        "template-that-is-odd-for-a-minute",
        "activities/messaging/preparing.py",
        "                if tried():\n",
        "                if True:\n",
        f"{_PROVIDER}::test_a_template_is_asked_for_again_before_it_is_not_readable",
    ),
    Defence(
        "group-404-of-others",
        "activities/messaging/sending.py",
        "if error.status != 404 or not error.own or (",
        "if error.status != 404 or (",
        f"{_PROVIDER}::test_a_404_of_others_loses_no_group[False]",
    ),
    Defence(
        "neither-taken-nor-refused",
        "activities/messaging/manifest.py",
        "elif _REFUSED.fullmatch(code) and code != ACCEPTED:",
        "elif True:",
        f"{_PROVIDER}::test_results_of_others_are_not_understood",
    ),
    Defence(
        "report-that-no-table-holds",
        "activities/messaging/reporting.py",
        'sent_as = next((each for each in Channel if each == message.get("type")), None)',
        'sent_as = message.get("type")',
        f"{_PROVIDER}::test_an_odd_report_is_no_end_and_no_error",
    ),
    Defence(
        "payload-key-that-is-not-here",
        "intake/restore.py",
        "        except UnknownKey:\n            raise  # whoever has the key restores it whole\n",
        "",
        "tests/unit/test_carried.py::test_a_key_that_is_not_here_loses_no_payload",
    ),
    Defence(
        "stored-body-of-another-key",
        "clients/queues.py",
        "if isinstance(error, BodyLocked):",
        "if False and BodyLocked:",
        "tests/integration/test_dead_letters.py"
        "::test_a_stored_body_that_another_key_sealed_is_left_for_who_has_it",
    ),
    Defence(
        "namespace-that-is-gone",
        "intake/reconcile.py",
        "                await self._temporal.workflow_service.describe_namespace(  # nor is its namespace\n"
        "                    DescribeNamespaceRequest(namespace=self._temporal.namespace), "
        "timeout=RPC_TIMEOUT\n                )\n",
        "",
        "tests/integration/test_reconcile.py::test_a_namespace_that_is_gone_loses_no_job",
    ),
    Defence(
        "deletion-that-is-not-known-again",
        "intake/ending.py",
        "if await self._was_followed(job):",
        "if False:",
        "tests/faults/test_restored.py::test_a_lecture_was_done_though_its_deletion_is_not_known_again_yet",
    ),
    Defence(
        "end-that-a-lost-key-sealed",
        "intake/reconcile.py",
        "        except VaultError:\n            log.error(",
        "        except ZeroDivisionError:\n            log.error(",
        "tests/faults/test_restored_messages.py::test_what_a_lost_key_has_sealed_is_named_and_ends",
    ),
    Defence(
        "two-readers-differ",
        f"{_OCR}/weighing.py",
        "replace(word, confidence=min(word.confidence, DISPUTED))",
        "replace(word, confidence=word.confidence)",
        f"{_READER}::test_what_another_reads_otherwise_stays_in_doubt",
    ),
    Defence(
        "reader-is-unsure",
        f"{_OCR}/engine.py",
        "if not alone and (not guesses or any(word.confidence < ASK for word in guesses)):",
        "if False:",
        f"{_READER}::test_tesseract_is_asked_about_unsure_lines_alone",
    ),
    Defence(
        "layer-with-other-numbers",
        f"{_OCR}/layer.py",
        "return alike >= SAME and (not whole or _digits(first) == _digits(second))",
        "return alike >= SAME",
        f"{_READ}::test_a_guessed_layer_with_other_numbers_is_read_again",
    ),
    Defence(
        "layer-of-which-a-line-differs",
        f"{_OCR}/layer.py",
        "yield replace(seen, doubted=True)",
        "yield seen",
        f"{_READ}::test_one_line_that_differs_is_doubted_and_what_is_seen_counts",
    ),
    Defence(
        "words-that-nobody-sees",
        f"{_OCR}/layer.py",
        "return bool(light - dark >= CONTRAST)",
        "return True",
        f"{_READ}::test_only_what_is_seen_counts_and_what_is_not_is_said[skip]",
    ),
    Defence(
        "backup-has-an-erased-tenant",
        "intake/tombstones.py",
        "return standing - await erasing.erased_tenants(connection)",
        "return standing & await erasing.erased_tenants(connection)",
        "tests/integration/test_tombstones.py::test_a_lost_tombstone_is_written_again",
    ),
    Defence(
        "sessions-that-are-over",
        "clients/database/retention.py",
        "old=lambda before: StaffSession.used_at < before,",
        "old=lambda before: StaffSession.used_at < before - timedelta(days=9_999),",
        "tests/integration/test_retention.py::test_what_is_over_goes_and_the_rest_stays",
    ),
    Defence(
        "what-retention-must-leave",
        "clients/database/retention.py",
        'return (Job.finished_at < before) & Job.job_type.startswith("ai.") & told & shown & joined',
        "return (Job.finished_at < before) & told & shown & joined",
        "tests/integration/test_retention.py::test_what_is_over_goes_and_the_rest_stays",
    ),
)
