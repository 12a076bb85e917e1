"""Last labels by which a bare `name.tld` in prose is taken for an address, without `http://` before it.

With a scheme, `www.` or an `@` any label counts. Labels that are usual file endings (`md`, `py`, `sh`, `zip`, ...)
count only before a path or port. Endings that are reserved for examples (RFC 2606) count like any other.
"""

_COUNTRIES = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf
cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg
gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn
kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na
nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh
si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve
vg vi vn vu wf ws ye yt za zm zw рф рус укр бел срб
中国 中國 香港 台湾 台灣 新加坡 한국 भारत ไทย قطر امارات السعودية مصر
"""
_GENERIC = """
example invalid localhost test alt
com net org edu gov mil int info biz name pro mobi tel asia cat jobs travel coop aero museum post xxx arpa onion
local internal lan home corp app dev page web site website online shop store shopping tech cloud host hosting link
click xyz top vip win bid loan loans credit creditcard cash money bank banking finance financial fund capital invest
investments trade trading market markets forex exchange gold insurance tax accountant accountants work works world
wiki space agency digital media news press blog email mail chat social network systems services service solutions
support help center centre company business enterprises group international global zone today life live video stream
studio design art photo photos gallery games game play fun club team community foundation institute academy school
college university education training courses science research health care clinic doctor dental pharmacy hospital
fitness fit run bike auto cars car taxi parts repair tools supplies supply equipment industries construction
builders contractors energy solar eco green organic farm garden flowers restaurant cafe coffee bar pizza food
kitchen recipes wine beer hotel holiday vacations tours flights viajes city town house apartments realty estate
properties property rent rentals sale sales deals discount promo gift gifts boutique fashion clothing shoes jewelry
watch watches beauty hair makeup kim men love date dating singles sexy porn adult casino poker bet ninja guru expert
expertise rocks buzz monster rest icu cyou cfd sbs bond quest lol lat skin pics autos boats homes motorcycles yachts
mom dad baby kids family one plus red blue black pink ink tube directory domains codes software computer download
downloads express delivery logistics shipping direct report reports review reviews guide tips cool best amsterdam
berlin london nyc tokyo jakarta istanbul moscow paris africa bio build camp cards cheap claims consulting dance
events exposed fail fyi gripe immo land lease legal law lawyer limited llc ltd gmbh inc management marketing mba
movie moda onl ooo partners party pet pub qpon racing salon security session shiksha soccer sport surf surgery sucks
technology tennis theater tienda tires toys ventures versicherung vet villas vision vote voto voyage webcam wedding
wtf yoga zip mov дети онлайн сайт 公司 网络 网址 在线 商城
"""
_FILE_ENDINGS = """
md py sh rs pl zip mov cc ps so app bin name post tools int download bat doc date report reports home
test invalid alt
"""
_SPOKEN = """
com net org info biz edu gov io example app dev xyz online site website shop store link click top co id
"""
_WORDS = """
am as at be by de do in is it ke la me my no pa se so to us
"""
COUNTRIES = frozenset(_COUNTRIES.split())
GENERIC = frozenset(_GENERIC.split())
FILE_ENDINGS = frozenset(_FILE_ENDINGS.split())
SPOKEN = frozenset(_SPOKEN.split()) | (COUNTRIES - frozenset(_WORDS.split()))
"""Endings that make `shop dot id` an address: those that are no words themselves."""
