"""What can end a message, a recipient's or the whole job's. Refusals of ours come before anything is sent."""

from contracts.errors.reason import C as _C
from contracts.errors.reason import F as _F
from contracts.errors.reason import R as _R
from contracts.errors.reason import add as _add

TEXT_NOT_ENCODABLE = _add(
    "TEXT_NOT_ENCODABLE",
    _R,
    "문자로 보낼 수 없는 글자가 있습니다. 표시된 글자를 지우거나 바꾸어 다시 보내 주세요.",
    "The text holds a character that a text message cannot carry. Remove or replace it and send again.",
)
MESSAGE_NOT_READABLE = _add(
    "MESSAGE_NOT_READABLE",
    _R,
    "발송 요청을 읽을 수 없습니다. 표시된 항목을 고쳐 다시 보내 주세요.",
    "The request cannot be read. Correct the named fields and send again.",
)
TEXT_EMPTY = _add(
    "TEXT_EMPTY",
    _R,
    "보낼 내용이 없습니다. 내용을 입력해 주세요.",
    "There is no text to send. Write one.",
)
TEXT_TOO_LONG = _add(
    "TEXT_TOO_LONG",
    _R,
    "내용이 너무 깁니다. 문자는 2,000바이트, 알림톡은 1,000자 이하로 줄여 주세요.",
    "The text is too long. Shorten it to 2,000 bytes, or 1,000 characters for Alimtalk.",
)
SUBJECT_TOO_LONG = _add(
    "SUBJECT_TOO_LONG",
    _R,
    "제목이 너무 깁니다. 40바이트(한글 20자) 이하로 줄여 주세요.",
    "The subject is too long. Shorten it to 40 bytes (20 Korean letters).",
)
PHONE_NOT_MOBILE = _add(
    "PHONE_NOT_MOBILE",
    _R,
    "받는 번호가 휴대전화 번호가 아닙니다. 010으로 시작하는 11자리 번호인지 확인해 주세요.",
    "The recipient's number is not a mobile number. Check that it is 010 and eight digits.",
)
SENDER_MISSING = _add(
    "SENDER_MISSING",
    _R,
    "발신번호가 없습니다. 발신번호를 등록하거나 골라 주세요.",
    "There is no sender number. Register or choose one.",
)
SENDER_NOT_REGISTERED = _add(
    "SENDER_NOT_REGISTERED",
    _R,
    "등록되지 않은 발신번호입니다. 등록된 발신번호를 골라 주세요.",
    "The sender number is not registered. Choose a registered one.",
)
VARIABLE_MISSING = _add(
    "VARIABLE_MISSING",
    _R,
    "내용에 있는 변수의 값이 없습니다. 표시된 변수의 값을 넣어 주세요.",
    "A variable of the text has no value. Give the named variable a value.",
)
VARIABLE_UNUSED = _add(
    "VARIABLE_UNUSED",
    _R,
    "내용에 없는 변수의 값이 있습니다. 변수 이름을 확인해 주세요.",
    "A value is given for a variable that the text does not hold. Check the variable's name.",
)
TEMPLATE_MISSING = _add(
    "TEMPLATE_MISSING",
    _R,
    "알림톡 템플릿이 없습니다. 템플릿을 고르거나 문자로 보내 주세요.",
    "There is no such Alimtalk template. Choose one, or send a text message.",
)
TEMPLATE_NOT_APPROVED = _add(
    "TEMPLATE_NOT_APPROVED",
    _R,
    "아직 승인되지 않은 알림톡 템플릿입니다. 승인된 뒤에 보내 주세요.",
    "The Alimtalk template is not approved. Send when it is, or choose another.",
)
TEMPLATE_NOT_READABLE = _add(
    "TEMPLATE_NOT_READABLE",
    _F,
    "알림톡 템플릿을 읽을 수 없습니다. 운영자에게 알리거나 문자로 보내 주세요.",
    "The provider's answer about the Alimtalk template is not understood. Tell us, or send a text message.",
)
PROVIDER_NOT_UNDERSTOOD = _add(
    "PROVIDER_NOT_UNDERSTOOD",
    _F,
    "발송사의 응답을 이해할 수 없어 보내지 않았습니다. 운영자에게 알려 주세요.",
    "The provider's answers are not understood, so nothing more was sent. Tell us, then retry the job.",
)
PROVIDER_REFUSED = _add(
    "PROVIDER_REFUSED",
    _F,
    "발송사가 요청을 받지 않아 보내지 않았습니다. 운영자에게 알려 주세요.",
    "The provider refuses the request as it is, so nothing more was sent. See its code, then retry the job.",
)
TEMPLATE_MISMATCH = _add(
    "TEMPLATE_MISMATCH",
    _R,
    "알림톡 템플릿의 채널이나 버튼이 등록된 것과 다릅니다. 템플릿을 다시 골라 주세요.",
    "The Alimtalk template is of another channel, or the buttons are not its own. Choose the template again.",
)
CHANNEL_NOT_CONFIGURED = _add(
    "CHANNEL_NOT_CONFIGURED",
    _R,
    "카카오 채널이 연결되어 있지 않습니다. 채널을 연결하거나 문자로 보내 주세요.",
    "No KakaoTalk channel is connected. Connect one, or send a text message.",
)
ADVERTISER_MISSING = _add(
    "ADVERTISER_MISSING",
    _R,
    "광고 문자에 필요한 광고주 이름이나 무료수신거부 번호가 없습니다. 먼저 등록해 주세요.",
    "Advertising needs the advertiser's name and a free opt-out number. Register both first.",
)
ADVERTISING_BY_ALIMTALK = _add(
    "ADVERTISING_BY_ALIMTALK",
    _R,
    "알림톡으로는 광고를 보낼 수 없습니다. 문자로 보내 주세요.",
    "Alimtalk must not carry advertising. Send it as a text message.",
)
OPT_OUT_MISMATCH = _add(
    "OPT_OUT_MISMATCH",
    _R,
    "무료수신거부 문구를 지우거나, 등록된 번호로 내용의 맨 끝에 적어 주세요.",
    "Leave the opt-out line out, or end the text with it and the registered number.",
)
IMAGE_NOT_JPEG = _add(
    "IMAGE_NOT_JPEG",
    _R,
    "JPG 이미지만 보낼 수 있습니다. JPG로 저장해 다시 올려 주세요.",
    "The image is not a JPEG. Save it as JPEG and upload it again.",
)
IMAGE_TOO_LARGE = _add(
    "IMAGE_TOO_LARGE",
    _R,
    "이미지가 너무 큽니다. 더 작게 저장해 다시 올려 주세요.",
    "The image is larger than a message may carry. Save it smaller and upload it again.",
)
IMAGE_WITH_ALIMTALK = _add(
    "IMAGE_WITH_ALIMTALK",
    _R,
    "알림톡에는 이미지를 붙일 수 없습니다. 이미지를 빼거나 문자로 보내 주세요.",
    "Alimtalk takes no image. Leave it out, or send a text message.",
)
MESSAGE_TOO_LARGE = _add(
    "MESSAGE_TOO_LARGE",
    _R,
    "메시지 하나가 너무 큽니다. 내용이나 변수를 줄여 주세요.",
    "One message is larger than a request may be. Shorten its text or variables.",
)
DUPLICATE_RECIPIENT = _add(
    "DUPLICATE_RECIPIENT",
    _R,
    "같은 수신자가 두 번 있습니다. 수신자 목록에서 하나를 지워 주세요.",
    "The same recipient is listed twice. Remove one of them.",
)
TOO_MANY_RECIPIENTS = _add(
    "TOO_MANY_RECIPIENTS",
    _R,
    "수신자가 너무 많습니다. 나누어 보내 주세요.",
    "There are more recipients than one job may have. Send in parts.",
)
RECIPIENTS_MISSING = _add(
    "RECIPIENTS_MISSING",
    _R,
    "수신자가 없습니다. 수신자를 골라 주세요.",
    "There are no recipients. Choose at least one.",
)
RECIPIENTS_NOT_READABLE = _add(
    "RECIPIENTS_NOT_READABLE",
    _R,
    "수신자 목록을 읽을 수 없습니다. 목록을 다시 만들어 보내 주세요.",
    "The list of recipients cannot be read. Make it again and send again.",
)
NOTHING_TO_SEND = _add(
    "NOTHING_TO_SEND",
    _R,
    "보낼 수 있는 수신자가 없습니다. 수신자별 사유를 확인해 주세요.",
    "None of the recipients can be sent to. See each recipient's reason.",
)
INSUFFICIENT_CREDIT = _add(
    "INSUFFICIENT_CREDIT",
    _F,
    "잔액이 부족하여 보내지 못했습니다. 충전한 뒤 다시 보내 주세요.",
    "The credit does not cover the messages. Charge it and send again.",
)
ACCOUNT_MISSING = _add(
    "ACCOUNT_MISSING",
    _F,
    "문자 발송 설정이 없습니다. 운영자에게 알려 주세요.",
    "The tenant has no messaging account. Set one up and retry the job.",
)
NOT_DELIVERED = _add(
    "NOT_DELIVERED",
    _F,
    "수신자에게 전달되지 않았습니다. 번호를 확인하고 다시 보내 주세요.",
    "The message reached nobody. See each recipient's reason, correct it and send again.",
)
RESERVATION_CANCELLED = _add(
    "RESERVATION_CANCELLED",
    _C,
    "예약이 취소되어 보내지 않았습니다.",
    "The reservation was cancelled, so nothing was sent.",
)
SEND_CANCELLED = _add(
    "SEND_CANCELLED",
    _C,
    "발송이 취소되었습니다. 이미 나간 메시지는 되돌릴 수 없습니다.",
    "Sending was cancelled. What had been sent already cannot be taken back.",
)
MESSAGE_EXPIRED = _add(
    "MESSAGE_EXPIRED",
    _F,
    "보낼 수 있는 시간이 지나 보내지 않았습니다. 아직 필요한 내용이면 다시 보내 주세요.",
    "It was no longer worth sending when it could have been sent, so it was not. Send again if it still is.",
)
NOT_APPROVED = _add(
    "NOT_APPROVED",
    _C,
    "다른 사람이 승인하지 않아 보내지 않았습니다. 거절한 사람에게 사유를 확인해 주세요.",
    "Somebody refused to approve it, so nothing was sent. Ask them why before sending again.",
)
SCHEDULE_PAST = _add(
    "SCHEDULE_PAST",
    _R,
    "예약 시간이 이미 지났습니다. 앞으로의 시간을 고르거나 시간 없이 보내 주세요.",
    "The time to send at is in the past. Choose a later one, or leave it out to send now.",
)
OPTED_OUT = _add(
    "OPTED_OUT",
    _C,
    "수신을 거부한 번호라서 보내지 않았습니다.",
    "The recipient opted out, so nothing was sent.",
)
DAILY_CAP = _add(
    "DAILY_CAP",
    _C,
    "하루 발송 한도를 넘어 보내지 않았습니다. 내일 다시 보내거나 한도를 늘려 주세요.",
    "The daily cap is reached, so this was not sent. Send it tomorrow or raise the cap.",
)
GROUP_LOST = _add(
    "GROUP_LOST",
    _F,
    "발송 여부를 확인할 수 없습니다. 이미 도착했을 수 있으니 확인한 뒤에 다시 보내 주세요.",
    "The provider does not know the group any more: it may have been sent. Ask before sending again.",
)
DUPLICATE_MESSAGE = _add(
    "DUPLICATE_MESSAGE",
    _C,
    "같은 메시지를 이미 보냈으므로 다시 보내지 않았습니다.",
    "The same message has been sent already, so it was not sent again.",
)
IMAGE_MISSING = _add(
    "IMAGE_MISSING",
    _R,
    "보낼 이미지를 찾을 수 없습니다. 이미지를 다시 올려 주세요.",
    "The image is not in storage. Upload it again.",
)
SCHEDULE_TOO_FAR = _add(
    "SCHEDULE_TOO_FAR",
    _R,
    "예약은 180일 이내로만 할 수 있습니다. 더 가까운 날짜를 골라 주세요.",
    "A message can be scheduled at most 180 days ahead. Choose an earlier time.",
)
EMAIL_NOT_VALID = _add(
    "EMAIL_NOT_VALID",
    _R,
    "이메일 주소가 올바르지 않습니다. name@example.com 같은 주소인지 확인해 주세요.",
    "The recipient's e-mail address is not valid. Check that it is like name@example.com.",
)
SUBJECT_MISSING = _add(
    "SUBJECT_MISSING",
    _R,
    "이메일에는 제목이 있어야 합니다. 제목을 적어 주세요.",
    "An e-mail needs a subject. Write one.",
)
NOT_BY_EMAIL = _add(
    "NOT_BY_EMAIL",
    _R,
    "이메일로는 광고나 사진을 보낼 수 없습니다. 빼거나 문자로 보내 주세요.",
    "E-mail carries no advertising and no picture. Leave it out, or send a text message.",
)
MAIL_NOT_CONFIGURED = _add(
    "MAIL_NOT_CONFIGURED",
    _F,
    "이메일을 보낼 메일 서버가 설정되어 있지 않습니다. 운영자에게 알려 주세요.",
    "No mail server is set up for the tenant. Set one up and send again.",
)
MAIL_UNSURE = _add(
    "MAIL_UNSURE",
    _F,
    "메일 서버의 응답을 받지 못해 나갔는지 알 수 없습니다. 받았는지 확인한 뒤에 다시 보내 주세요.",
    "The mail server's answer was lost: it may have been sent. Ask before sending again.",
)
DIGEST_UNSURE = _add(
    "DIGEST_UNSURE",
    _F,
    "다른 알림과 함께 나갔을 수 있으나 기록이 사라져 알 수 없습니다. 받았는지 확인한 뒤에 다시 보내 주세요.",
    "It may have gone in one text with others; the record of that was lost. Ask before sending again.",
)
MAIL_REFUSED = _add(
    "MAIL_REFUSED",
    _F,
    "메일 서버가 받지 않았습니다. 주소를 확인하고 다시 보내 주세요.",
    "The mail server does not take it. Check the address, and send again.",
)
