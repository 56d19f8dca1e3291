"""What comes from outside: messages, answers of servers, files."""

from tests.defences import Defence

_ERRORS, _KINDS = "intake/errors.py", "tests/unit/test_error_kinds.py"
_JSON, _BODIES = "contracts/queues/strict_json.py", "tests/unit/test_contracts_hostile.py"
_DOWNLOAD, _LINKS = "clients/download.py", "tests/integration/test_download.py"
_CHANGING, _ENCODE = "tests/unit/test_media_changing.py", "tests/unit/test_media_encode.py"
_CAPTIONS = "tests/unit/test_captions.py"
_COVERED = "tests/unit/test_omr_covered.py"
_ODD = "tests/unit/test_roster_odd.py::test_nobody_is_lost_and_nobody_gets_anothers"
_HOSTILE_BODIES = f"{_BODIES}::test_hostile_bodies_get_their_code"

CONTENT = (
    Defence(
        "schema-trouble-is-no-content",
        _ERRORS,
        'CONTENT = frozenset({"22", "23"})',
        'CONTENT = frozenset({"22", "23", "42"})',
        f"{_KINDS}::test_only_values_are_content",
    ),
    Defence(
        "status-of-temporal-is-no-content",
        _ERRORS,
        "RPCStatusCode.INVALID_ARGUMENT: ErrorKind.FATAL,",
        "RPCStatusCode.INVALID_ARGUMENT: ErrorKind.POISON,",
        f"{_KINDS}::test_no_status_of_temporal_refuses_a_message",
    ),
    Defence(
        "body-too-deep",
        _JSON,
        "if depth == 0:",
        "if False:",
        _HOSTILE_BODIES,
    ),
    Defence(
        "body-with-a-key-twice",
        _JSON,
        "if len(value) < len(pairs):",
        "if False:",
        _HOSTILE_BODIES,
    ),
    Defence(
        "text-that-cannot-be-stored",
        _JSON,
        "if isinstance(value, str) and not is_storable(value):",
        "if False:",
        _HOSTILE_BODIES,
    ),
    Defence(
        "poison-tells-no-value",
        "contracts/queues/parse.py",
        "        poison = from_validation(error)\n    else:",
        "        poison = from_validation(error)\n        raise poison from error\n    else:",
        f"{_BODIES}::test_poison_never_tells_a_value",
    ),
    Defence(
        "answer-for-other-people",
        "activities/messaging/manifest.py",
        'if result.get("to") != to:',
        "if False:",
        "tests/faults/test_messages_network.py::test_an_answer_that_does_not_fit_the_manifest[reordered]",
    ),
    Defence(
        "answer-for-fewer-people",
        "activities/messaging/manifest.py",
        "if len(results) != len(wanted):",
        "if len(results) > len(wanted):",
        "tests/faults/test_messages_network.py::test_an_answer_that_does_not_fit_the_manifest[short]",
    ),
    Defence(
        "heartbeat-of-every-activity",
        "workers/ops.py",
        "interceptors=[heartbeats, RefusingInterceptor(), RestoringInterceptor(Restorer(engine, vault))],",
        "interceptors=[RefusingInterceptor(), RestoringInterceptor(Restorer(engine, vault))],",
        "tests/unit/test_activities.py::test_every_one_beats",
    ),
    Defence(
        "heartbeat-that-is-missed-soon",
        "contracts/activities/reference.py",
        "HEARTBEAT = timedelta(seconds=10)",
        "HEARTBEAT = timedelta(seconds=30)",
        "tests/unit/test_activities.py::test_every_one_has_a_heartbeat_that_a_dead_worker_misses_soon",
    ),
    Defence(
        "newer-release-sends-more",
        "contracts/base.py",
        'extra="ignore", frozen=True, strict=False',
        'extra="forbid", frozen=True, strict=False',
        "tests/unit/test_contracts_properties.py"
        "::test_a_valid_body_parses_and_again_with_extra_fields_to_the_same_request",
    ),
    Defence(
        "payload-of-another-job",
        "clients/vault.py",
        "return self.encrypt(text.encode(), job_id.encode())",
        'return self.encrypt(text.encode(), b"")',
        "tests/integration/test_database.py::test_a_sealed_payload_opens_for_its_job_only_and_unaltered",
    ),
    Defence(
        "link-to-an-inner-address",
        _DOWNLOAD,
        "if not inner_addresses and not _public(address):",
        "if False:",
        f"{_LINKS}::test_an_inner_address_is_not_asked",
    ),
    Defence(
        "link-to-another-host",
        _DOWNLOAD,
        "if hosts is not None and not _listed(host, port, hosts, any_port=inner_addresses):",
        "if False:",
        f"{_LINKS}::test_a_link_to_elsewhere_is_not_followed",
    ),
    Defence(
        "file-beyond-the-limit",
        _DOWNLOAD,
        "if done > max_bytes:",
        "if False:",
        f"{_LINKS}::test_a_file_beyond_the_limit_is_given_up",
    ),
    Defence(
        "callback-is-not-taken",
        "clients/callbacks.py",
        "if not 200 <= status < 300:",
        "if False:",
        "tests/integration/test_callbacks.py::test_anything_but_success_is_tried_again",
    ),
    Defence(
        "cut-segment",
        "activities/video/fmp4.py",
        "if size < head or at + size > len(data):",
        "if size < head:",
        "tests/unit/test_media_encode.py::test_a_segment_tells_its_place_and_a_cut_one_is_refused",
    ),
    Defence(
        "picture-that-changes-midway",
        "activities/video/encode.py",
        'options["reinit_filter"] = 0',
        'options["reinit_filter"] = 1',
        f"{_CHANGING}::test_a_picture_that_changes_its_shape_keeps_it_and_its_time[120x90-ts--c:v libx264 "
        "-preset ultrafast -g 25]",
    ),
    Defence(
        "sound-that-changes-midway",
        "activities/video/probe.py",
        "taken.append(evened(file[str(streams.audio)]))\n"
        '    copy = ffmpeg.output(*taken, f"file:{out}", format="matroska", **{"c:v": "copy"}, **FLAC)',
        "taken.append(file[str(streams.audio)])\n"
        '    copy = ffmpeg.output(*taken, f"file:{out}", format="matroska", c="copy")',
        f"{_CHANGING}::test_sound_that_changes_midway_goes_on_in_its_place[-ac 2 -ar 48000 -c:a aac-"
        "-ac 1 -ar 44100 -c:a aac]",
    ),
    Defence(
        "tail-of-a-frame",
        "activities/video/encode.py",
        "if len(starts) > 1 and last - starts[-1] < SHORTEST * plan.fps:",
        "if False:",
        f"{_ENCODE}::test_a_tail_of_less_than_a_second_joins_the_segment_before[101]",
    ),
    Defence(
        "colours-that-are-not-said",
        "activities/video/colour.py",
        '"setparams", range="limited", color_primaries="bt709", color_trc="bt709", colorspace="bt709"',
        '"null"',
        "tests/unit/test_media_colour.py::test_what_is_transparent_lies_on_white",
    ),
    Defence(
        "zeroed-source",
        "activities/video/damage.py",
        "self._found.append(Damage(what=DamageKind.PICTURE_MISSING, start=min(late), end=until))",
        "pass",
        "tests/unit/test_media_damage.py::test_one_of_both_is_damaged[video]",
    ),
    Defence(
        "too-little-of-a-lecture",
        "activities/video/damage.py",
        "> duration * TOO_LITTLE:",
        "> duration:",
        "tests/unit/test_media_damage.py::test_a_second_is_bearable_and_a_half_is_too_little",
    ),
    Defence(
        "upload-that-broke-off",
        "activities/video/probe.py",
        "if missing > max(1.0, declared / 50):",
        "if False:",
        "tests/unit/test_media_damage.py::test_an_upload_that_broke_off_is_refused[mkv]",
    ),
    Defence(
        "child-starts-a-program",
        "activities/host/cage/syscalls.py",
        'special["execve"] = [_REFUSE]',
        "pass",
        "tests/integration/test_ocr_plain.py::test_a_child_may_start_nothing[become]",
    ),
    Defence(
        "unseen-rules",
        "activities/ai/tasks/ocr/tables.py",
        "or _goes_on(boxes, table, outside)",
        "",
        "tests/unit/test_tables.py::test_a_table_whose_rules_were_not_all_seen_is_doubted[lost4]",
    ),
    Defence(
        "steep-page",
        "activities/ai/tasks/ocr/order.py",
        "abs(tilt) > STEEP",
        "False",
        "tests/unit/test_order.py::test_lines_of_a_steep_page_may_be_in_another_order[45-True]",
    ),
    Defence(
        "row-below-glare",
        "activities/ai/tasks/omr/printed.py",
        "    return [is_seen(bubble) for bubble in bubbles]",
        "    return [is_seen(bubble) or True for bubble in bubbles]",
        f"{_COVERED}::test_rows_below_something_are_unreadable_and_the_others_are_read[glare]",
    ),
    Defence(
        "folded-answer-sheet",
        "activities/ai/tasks/omr/anchors.py",
        "        if found[nearest] is not None or max(map(abs, moved)) > _REACH:\n            return unknown",
        "        if found[nearest] is not None or max(map(abs, moved)) > _REACH:\n            continue",
        f"{_COVERED}::test_paper_that_is_folded_or_slips_in_the_scanner_mixes_no_rows[-16]",
    ),
    Defence(
        "lines-that-jump",
        "activities/ai/tasks/omr/anchors.py",
        "        if abs(next_down - down) > _UNEVEN[0] + _UNEVEN[1] * (next_y - y):",
        "        if False:",
        f"{_COVERED}::test_paper_that_is_folded_or_slips_in_the_scanner_mixes_no_rows[-11]",
    ),
    Defence(
        "column-off-by-a-line",
        "activities/ai/tasks/omr/anchors.py",
        "    if None in (found[0], found[-1]) and any(abs(down) > _SHIFTED for _, down in there):",
        "    if False:",
        f"{_COVERED}::test_a_column_that_is_off_by_a_line_is_not_located",
    ),
    Defence(
        "sheet-with-its-face-down",
        "activities/ai/tasks/omr/pile.py",
        "    return [page for page, is_empty in empty.items() if is_empty]",
        "    return []",
        "tests/unit/test_omr_task.py::test_an_empty_page_that_is_no_back_is_told",
    ),
    Defence(
        "key-under-another-name",
        "activities/ai/tasks/omr/grading.py",
        "    if field := field_like_a_key(parameters):",
        "    if False and (field := field_like_a_key(parameters)):",
        "tests/unit/test_omr_grading.py::test_a_key_under_another_name_is_refused",
    ),
    Defence(
        "number-of-another-family",
        "rules/roster/identity.py",
        "    found = {number for number, names in families.items() if len(names) > _FAMILIES}",
        "    found = set[str]()",
        f"{_ODD}[a number that was copied down]",
    ),
    Defence(
        "row-in-one-cell",
        "activities/ai/tasks/roster/parse.py",
        "if number not in banners and _is_row_in_a_cell(cells, len(readers)):",
        "if False:",
        f"{_ODD}[a row of tabs among commas]",
    ),
    Defence(
        "hidden-column",
        "activities/ai/tasks/roster/parse.py",
        "hidden = _blanked(sheet) if sheet.hidden_columns else ()",
        "hidden: tuple[str, ...] = ()",
        f"{_ODD}[a hidden column of numbers]",
    ),
    Defence(
        "build-that-has-gone",
        "activities/video/builds.py",
        "poller.last_access_time.ToDatetime(UTC) > since for",
        "True or poller.last_access_time.ToDatetime(UTC) > since for",
        "tests/unit/test_builds.py::test_who_has_polled_lately_lives",
    ),
    Defence(
        "captions-beyond-the-clock",
        "api/routes/hls.py",
        "if viewer.decision.proctored and not may_look(",
        "if False and not may_look(",
        "tests/integration/test_captions.py::test_captions_are_shown_replaced_and_taken_away",
    ),
    Defence(
        "captions-of-another-version",
        "intake/captions.py",
        "if row.prefix.startswith((prefix, root + FOLDER))",
        "if True",
        f"{_CAPTIONS}::test_what_came_with_another_version_is_not_named",
    ),
    Defence(
        "caption-that-ends-its-cue",
        "rules/captions/cues.py",
        """.replace("<", "&lt;").replace(">", "&gt;")""",
        "",
        f"{_CAPTIONS}::test_no_text_ends_its_cue",
    ),
    Defence(
        "piece-of-a-stream-as-captions",
        "rules/captions/reading.py",
        'if line.startswith("X-TIMESTAMP-MAP"):',
        "if False:",
        f"{_CAPTIONS}::test_what_is_not_understood_is_refused_with_its_line",
    ),
)
