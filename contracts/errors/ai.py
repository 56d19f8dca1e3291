"""AI jobs: files that cannot be worked on, and models that are not there."""

from contracts.errors.reason import add as _add
from contracts.states import JobState

_F, _R = JobState.FAILED, JobState.REJECTED_BAD_INPUT

FILE_MISSING = _add(
    "FILE_MISSING",
    _R,
    "파일을 찾을 수 없습니다. 다시 올려 주세요.",
    "The file is not in storage. Upload it again.",
)
DOWNLOAD_REFUSED = _add(
    "DOWNLOAD_REFUSED",
    _R,
    "허용되지 않은 주소의 파일입니다. 파일을 직접 올려 주세요.",
    "The link leads to a host that is not allowed. Upload the file instead.",
)
FILE_EMPTY = _add(
    "FILE_EMPTY",
    _R,
    "빈 파일입니다. 내용이 있는 파일을 올려 주세요.",
    "The file is empty. Upload one with content.",
)
FILE_TOO_LARGE = _add(
    "FILE_TOO_LARGE",
    _R,
    "파일이 너무 큽니다. 나누어 올려 주세요.",
    "The file is larger than allowed. Upload it in parts.",
)
FILE_TYPE_MISMATCH = _add(
    "FILE_TYPE_MISMATCH",
    _R,
    "파일의 내용이 확장자와 다릅니다. 올바른 형식으로 저장해 다시 올려 주세요.",
    "The file is not what its name says. Save it in its own format and upload it again.",
)
FILE_NOT_SUPPORTED = _add(
    "FILE_NOT_SUPPORTED",
    _R,
    "지원하지 않는 파일 형식입니다. PDF나 이미지, 명단은 xlsx, xls, csv, html로 올려 주세요.",
    "This kind of file is not supported. Upload a PDF or a picture; rosters as xlsx, xls, csv or HTML.",
)
FILE_DAMAGED = _add(
    "FILE_DAMAGED",
    _R,
    "파일이 손상되어 읽을 수 없습니다. 다시 저장해 올려 주세요.",
    "The file is damaged. Save it again and upload it.",
)
FILE_ENCRYPTED = _add(
    "FILE_ENCRYPTED",
    _R,
    "암호가 걸린 파일입니다. 암호를 풀고 다시 올려 주세요.",
    "The file is protected by a password. Remove it and upload the file again.",
)
TOO_MANY_PAGES = _add(
    "TOO_MANY_PAGES",
    _R,
    "페이지가 너무 많습니다. 나누어 올려 주세요.",
    "The file has too many pages. Upload it in parts.",
)
PAGE_TOO_LARGE = _add(
    "PAGE_TOO_LARGE",
    _R,
    "페이지가 너무 큽니다. A3 이하, 600dpi 이하로 저장해 주세요.",
    "A page has more pixels than allowed. Save it at A3 and 600 dpi or below.",
)
TOO_MANY_CELLS = _add(
    "TOO_MANY_CELLS",
    _R,
    "시트가 너무 큽니다. 쓰지 않는 행과 열을 지우고 다시 올려 주세요.",
    "A sheet is too large. Remove unused rows and columns and upload it again.",
)
ARCHIVE_TOO_DEEP = _add(
    "ARCHIVE_TOO_DEEP",
    _R,
    "압축된 내용이 지나치게 큽니다. 다른 파일로 올려 주세요.",
    "What is compressed in the file is unreasonably large. Upload another file.",
)
MACROS_REFUSED = _add(
    "MACROS_REFUSED",
    _R,
    "매크로가 있는 파일은 받지 않습니다. xlsx로 저장해 다시 올려 주세요.",
    "Files with macros are not taken. Save it as xlsx and upload it again.",
)
TASK_OUT_OF_MEMORY = _add(
    "TASK_OUT_OF_MEMORY",
    _R,
    "파일을 처리하는 데 메모리가 너무 많이 필요합니다. 나누어 올려 주세요.",
    "Working on the file takes more memory than allowed. Upload it in parts.",
)
TASK_TIMED_OUT = _add(
    "TASK_TIMED_OUT",
    _R,
    "파일을 처리하는 데 시간이 너무 오래 걸립니다. 나누어 올려 주세요.",
    "Working on the file takes longer than allowed. Upload it in parts.",
)
TASK_CRASHED = _add(
    "TASK_CRASHED",
    _R,
    "파일을 처리하는 프로그램이 멈추었습니다. 다시 저장해 올려 주세요.",
    "The program that reads such files died of this one. Save it again and upload it.",
)
OMR_SHEET_NOT_FOUND = _add(
    "OMR_SHEET_NOT_FOUND",
    _R,
    "답안지를 찾을 수 없습니다. 네 모서리가 모두 보이게 다시 찍어 주세요.",
    "There is no answer sheet on the page. Take it again with all four corners in view.",
)
OMR_TEMPLATE_UNKNOWN = _add(
    "OMR_TEMPLATE_UNKNOWN",
    _R,
    "알 수 없는 답안지 양식입니다. 시험의 답안지를 확인해 주세요.",
    "The answer sheet is not the one of this exam. Check which sheet was used.",
)
FILE_PASSWORD_WRONG = _add(
    "FILE_PASSWORD_WRONG",
    _R,
    "파일의 암호가 맞지 않습니다. 암호를 확인해 다시 올려 주세요.",
    "The password does not open the file. Check it and send the file again.",
)
DOCUMENT_LOCKED = _add(
    "DOCUMENT_LOCKED",
    _R,
    "배포용 한글 문서는 읽을 수 없습니다. 배포용이 아닌 문서로 저장하거나 PDF로 올려 주세요.",
    "The document is a locked copy for distribution. Upload the document itself, or a PDF.",
)
ROSTER_HEADER_MISSING = _add(
    "ROSTER_HEADER_MISSING",
    _R,
    "이름과 보호자 연락처 열을 찾을 수 없습니다. 첫머리에 열 이름을 넣어 주세요.",
    "There is no heading with the columns for name and parent's phone. Add one above the rows.",
)
ROSTER_COLUMN_UNKNOWN = _add(
    "ROSTER_COLUMN_UNKNOWN",
    _R,
    "지정한 열 이름이 파일에 없거나 두 번 지정되었습니다. 열 지정을 확인해 주세요.",
    "A column that was named is not in the file, or was named twice. Check the columns given.",
)
ROSTER_NOT_UNDOABLE = _add(
    "ROSTER_NOT_UNDOABLE",
    _R,
    "되돌릴 수 있는 명단 가져오기가 아니거나, 그 결과를 더 보관하지 않습니다.",
    "This is no import of a roster that can be taken back, or its results are not kept any more.",
)
STUDENT_CHANGED_SINCE = _add(
    "STUDENT_CHANGED_SINCE",
    _R,
    "가져온 뒤에 정보가 바뀐 학생이라 그대로 두었습니다.",
    "The student was changed since the import, and left alone.",
)
STUDENT_GONE_SINCE = _add(
    "STUDENT_GONE_SINCE",
    _R,
    "가져온 뒤에 지웠거나 이름·학부모 전화번호가 바뀐 학생입니다.",
    "The student was removed since the import, or has another name or parent's phone.",
)
STUDENT_CAME_BACK = _add(
    "STUDENT_CAME_BACK",
    _R,
    "이 명단으로 퇴원에서 돌아온 학생입니다. 재원 상태 그대로 두었으니, 아니라면 직접 퇴원 처리해 주세요.",
    "The student had left and came back by this roster. The student is still there: let them leave by hand.",
)
STUDENT_USED_SINCE = _add(
    "STUDENT_USED_SINCE",
    _R,
    "출석이나 수강 기록이 생긴 학생이라 지우지 않았습니다.",
    "The student has attendance or lectures by now, and was not removed.",
)
ROSTER_EMPTY = _add(
    "ROSTER_EMPTY",
    _R,
    "명단에 학생이 없습니다.",
    "The roster has no students.",
)
QUESTIONS_NOT_FOUND = _add(
    "QUESTIONS_NOT_FOUND",
    _R,
    "문항 번호를 찾을 수 없습니다. 더 선명한 파일을 올려 주세요.",
    "No question numbers were found. Upload a clearer file.",
)
MODEL_NOT_CONFIGURED = _add(
    "MODEL_NOT_CONFIGURED",
    _F,
    "이 작업을 처리할 모델 서버가 설정되어 있지 않습니다. 운영자에게 알려 주세요.",
    "No model server is configured for this kind of job. Set its address and retry.",
)
MODEL_REFUSED = _add(
    "MODEL_REFUSED",
    _F,
    "모델 서버가 요청을 거절했습니다. 운영자에게 알려 주세요.",
    "The model server refused the request. Check its address, key and model name.",
)
MODEL_UNAVAILABLE = _add(
    "MODEL_UNAVAILABLE",
    _F,
    "모델 서버가 응답하지 않습니다. 나중에 다시 시도해 주세요.",
    "The model server did not answer in time. Retry later.",
)
ROSTER_NAME_MISSING = _add(
    "ROSTER_NAME_MISSING",
    _R,
    "학생 이름이 없습니다. 이름을 입력해 주세요.",
    "The student's name is missing. Enter it.",
)
ROSTER_NAME_INVALID = _add(
    "ROSTER_NAME_INVALID",
    _R,
    "학생 한 명의 이름으로 볼 수 없는 값입니다. 50자 이하의 이름을 입력해 주세요.",
    "This cannot be taken for the name of one student. Enter it, in at most 50 characters.",
)
ROSTER_PHONE_MISSING = _add(
    "ROSTER_PHONE_MISSING",
    _R,
    "학부모 전화번호가 없습니다. 010으로 시작하는 번호를 입력해 주세요.",
    "The parent's phone number is missing. Enter it.",
)
ROSTER_DATE_INVALID = _add(
    "ROSTER_DATE_INVALID",
    _R,
    "알 수 없거나 있을 수 없는 날짜입니다. 2011-03-05처럼 입력해 주세요.",
    "This is not a date, may be several, or cannot be yet. Write it like 2011-03-05.",
)
ROSTER_GENDER_INVALID = _add(
    "ROSTER_GENDER_INVALID",
    _R,
    "성별을 알 수 없습니다. 남 또는 여로 입력해 주세요.",
    "The gender is not known. Write 남 or 여.",
)
ROSTER_TEXT_TOO_LONG = _add(
    "ROSTER_TEXT_TOO_LONG",
    _R,
    "내용이 너무 깁니다. 줄여 주세요.",
    "The text is longer than its column may hold. Shorten it.",
)
ROSTER_SAME_STUDENT = _add(
    "ROSTER_SAME_STUDENT",
    _R,
    "이름과 학생 전화번호가 같은 학생이 다른 학부모 전화번호로 있습니다. 번호가 바뀌었는지 확인해 주세요.",
    "A student of this name and own phone exists with another parent's phone. Check whether it has changed.",
)
ROSTER_CONTRADICTION = _add(
    "ROSTER_CONTRADICTION",
    _R,
    "같은 학생의 다른 행과 내용이 다릅니다. 맞는 것만 남겨 주세요.",
    "Another row of the same student says something else. Leave the right one only.",
)
ROSTER_ENCODING_UNKNOWN = _add(
    "ROSTER_ENCODING_UNKNOWN",
    _R,
    "파일의 글자를 읽을 수 없습니다. 엑셀 파일(xlsx)로 저장해 다시 올려 주세요.",
    "The text is neither UTF-8, UTF-16 nor cp949. Save it as xlsx and upload it again.",
)
ROSTER_QUOTE_OPEN = _add(
    "ROSTER_QUOTE_OPEN",
    _R,
    "따옴표의 짝이 맞지 않아 칸의 끝을 알 수 없습니다. 그 줄을 고치거나 xlsx로 저장해 올려 주세요.",
    "A quotation mark is not closed or stands amid a cell: its end is not known. Correct the line.",
)
ROSTER_TABLES_BESIDE = _add(
    "ROSTER_TABLES_BESIDE",
    _R,
    "이름 열이 여러 개입니다. 나란히 놓인 표는 아래로 이어 붙여 다시 올려 주세요.",
    "There are several columns of names. Put tables that stand side by side below each other.",
)
ROSTER_ROW_MISPLACED = _add(
    "ROSTER_ROW_MISPLACED",
    _R,
    "칸이 열 이름과 맞지 않습니다. 열 이름 아래로 옮겨 적어 주세요.",
    "Cells of the row do not stand under the headings. Move them there.",
)
ROSTER_ROW_HIDDEN = _add(
    "ROSTER_ROW_HIDDEN",
    _R,
    "숨겨졌거나 필터로 가려진 행입니다. 올릴 학생이면 보이게 하고, 아니면 지워 주세요.",
    "The row is hidden or filtered out. Show it if the student belongs to the roster, else remove it.",
)
ROSTER_ROW_STRUCK = _add(
    "ROSTER_ROW_STRUCK",
    _R,
    "취소선이 그어진 칸이 있는 행입니다. 올릴 학생이면 취소선을 없애고, 아니면 지워 주세요.",
    "Something in the row is struck out. Remove the line if the student belongs to the roster, else the row.",
)
ROSTER_STUDENT_LEFT = _add(
    "ROSTER_STUDENT_LEFT",
    _R,
    "퇴원·휴원·대기로 적힌 행입니다. 올릴 학생이면 그 표시를 지우고, 아니면 행을 지워 주세요.",
    "The file says that the student has left, pauses or waits. Remove that if it is wrong, else the row.",
)
ROSTER_ROW_EXAMPLE = _add(
    "ROSTER_ROW_EXAMPLE",
    _R,
    "작성 예시로 보이는 행입니다. 실제 학생이면 예시 표시를 지우고, 아니면 행을 지워 주세요.",
    "The row seems to be an example. Remove the word if it is a student, else the row.",
)
ROSTER_COLUMN_REPEATED = _add(
    "ROSTER_COLUMN_REPEATED",
    _R,
    "같은 뜻의 열이 둘이고 값이 서로 다릅니다. 맞는 열만 남겨 주세요.",
    "Two columns mean the same and say different things. Leave the right one only.",
)
ROSTER_VALUE_MISSING = _add(
    "ROSTER_VALUE_MISSING",
    _R,
    "수식의 계산 결과가 파일에 없습니다. 엑셀에서 열어 저장하거나 값을 직접 입력해 주세요.",
    "The file does not hold what the formula gives. Open and save it in Excel, or enter the value.",
)
ROSTER_DITTO = _add(
    "ROSTER_DITTO",
    _R,
    "위와 같다는 표시는 읽지 않습니다. 값을 직접 입력해 주세요.",
    "A sign for “as above” is not read. Enter the value.",
)
ROSTER_NUMBER_OF_ANOTHER = _add(
    "ROSTER_NUMBER_OF_ANOTHER",
    _R,
    "다른 학생의 번호와 같습니다. 누구의 번호인지 확인해 주세요.",
    "The number stands with other students as well. Check whose it is.",
)
ROSTER_TOO_MANY_ROWS = _add(
    "ROSTER_TOO_MANY_ROWS",
    _R,
    "명단이 너무 깁니다. 50,000명 이하로 나누어 올려 주세요.",
    "The roster has more students than one file may have. Split it into files of at most 50,000.",
)
NOTHING_TO_EXPORT = _add(
    "NOTHING_TO_EXPORT",
    _R,
    "내보낼 내용이 없습니다. 강의나 기간을 확인해 주세요.",
    "There is nothing to export. Check the lecture or the month.",
)
OMR_ANSWERS_INVALID = _add(
    "OMR_ANSWERS_INVALID",
    _R,
    "정답 정보가 올바르지 않습니다. 시험 설정을 확인해 주세요.",
    "The answers given with the job are not valid. Check the exam's settings.",
)
OMR_CORRECTION_INVALID = _add(
    "OMR_CORRECTION_INVALID",
    _R,
    "고친 표시가 답안지와 맞지 않습니다. 쪽, 문항, 번호를 확인해 주세요.",
    "A correction does not fit the sheet. Check its page, question and choices.",
)
OMR_CORRECTION_OF_ANOTHER_FILE = _add(
    "OMR_CORRECTION_OF_ANOTHER_FILE",
    _R,
    "답안지 파일이 그 사이 바뀌어, 고친 표시를 쓰지 않았습니다. 새 파일을 채점한 결과에서 다시 고쳐 주세요.",
    "The file is another one by now, and its corrections were not used. Grade it anew, and correct that.",
)
MODEL_ANSWER_UNUSABLE = _add(
    "MODEL_ANSWER_UNUSABLE",
    _F,
    "모델이 쓸 수 없는 답을 냈습니다. 다시 시도하거나 운영자에게 알려 주세요.",
    "The model's answers are not what was asked for. Check that it is the right model, and retry.",
)
TEXT_TOO_LONG = _add(
    "TEXT_TOO_LONG",
    _R,
    "글 하나가 너무 깁니다. 나누어 보내 주세요.",
    "One of the texts is longer than the model takes. Send it in parts.",
)
TOO_MANY_TEXTS = _add(
    "TOO_MANY_TEXTS",
    _R,
    "글이 너무 많습니다. 여러 작업으로 나누어 보내 주세요.",
    "There are more texts than one job may have. Send them in several.",
)
NO_SOUND = _add(
    "NO_SOUND",
    _R,
    "영상에 소리가 없습니다. 소리가 있는 파일을 올려 주세요.",
    "The file has no sound. Upload one with sound.",
)
