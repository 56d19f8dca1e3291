"""The letters that the line reader knows, in the order of its answers. Another order needs another model.

All that are in none of these lists it takes for something else: such a letter is told by a low confidence.
"""


def _ksx1001() -> str:
    """The 2,350 syllables of KS X 1001, which cover nearly all of modern writing."""
    pairs = (bytes((lead, trail)) for lead in range(0xB0, 0xC9) for trail in range(0xA1, 0xFF))
    return "".join(pair.decode("euc_kr") for pair in pairs)


SYLLABLES = _ksx1001()
RARE = (  # syllables outside KS X 1001 that people do write
    "똠펲찦쀍햏뷁믜쌰쏼앝옄웈챦켘콰퀌톄퍄푠헠힣갂괆굠귬긂긇깄꺆껓꼇꼍꽜꾿뀜끗끠낐냑넁놔눗뉨늗댜돐됌됍"
    "둗듄띡랃랐랬럋렜룟룻륨릎맀먉몄묬뭇믁믈밐벋볌뵘뷔뷩븍빗뺀뻬뼝뽕뿟쁄삯섁셸숏숱쉑슌싥싼썪쏙쐈쑹쒀씌"
    "앳얜엌옅왜욘웽윰읊읗읜잌잤쟎젇죱줬쥔즁쨰쩐쫒쭝쯧찟챳첵촙춉췐츰칮캥켄콥쾡쿠퀭킅탐텟톳퇀튬틋팎펐퐈"
    "풉퓟픔핥헀혔홧횐훅흄흖희"
)
ASCII = "".join(map(chr, range(33, 127)))
MARKS = (
    "·…‘’“”′″※○●◎□■△▲▽▼◇◆☆★→←↑↓↔⇒×÷±≤≥≠≒∞√∠⊥∥∴∵∈⊂∩∪°℃"
    "℉‰％㎝㎜㎞㎡㎥㎏㎎㎖㎗ℓΩ℮₩￦「」『』《》〈〉【】〔〕、。～—–−•☞♠♥♣♪♭✓✔"
)
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮㉠㉡㉢㉣㉤㉥㉦㉧㉮㉯㉰㉱㉲㉳ⓐⓑⓒⓓⓔ"
JAMO = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
GREEK = "αβγδεθλμνπρσφωΑΒΓΔΣΦ"
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅"
ROMAN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅰⅱⅲⅳⅴ"
FRACTIONS = "½⅓¼¾"
LATIN = "éèáàíóúñçöüä"
HANJA = (
    "一二三四五六七八九十百千萬大中小上下左右前後內外男女人口日月火水木金土山川江海天地東西南北國學校"
    "年生先韓文字語書數科目不正反對比名詞動形容自己心身手足父母子美英中古今長短高低新舊有無因果主客觀"
)

_ALL = (SYLLABLES, RARE, ASCII, MARKS, CIRCLED, JAMO, GREEK, RAISED, ROMAN, FRACTIONS, LATIN, HANJA)
# The first stands for "no letter here" (the blank of CTC), the second for a space.
LETTERS = ("", " ", *dict.fromkeys("".join(_ALL)))
