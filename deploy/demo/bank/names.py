"""Vocabulary: names of people, companies, trades and streets."""

SURNAMES = tuple(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严"
)
GIVEN_FEMALE = tuple("芳娜敏静丽艳娟霞秀玲桂兰英红梅婷雪慧莹洁倩颖璐瑶怡萍燕蓉琳欣悦佳雯晓岚薇蕾菲")
GIVEN_MALE = tuple("伟强磊军勇涛明超刚平辉鹏杰华飞斌浩宇波峰建国志文东海龙俊凯鑫博昊然轩子毅诚远航")

BRANDS_FIRST = tuple("华中金安恒瑞信德盛泰兴隆宏鼎永嘉天海新联博立正元汇百顺丰启明")
BRANDS_SECOND = tuple("达通源和诚创科润达康源远辉翔业美锦茂益腾星卓越方圆舟川石")
INDUSTRIES = (
    ("manufacturing", "精密制造"),
    ("wholesale", "贸易"),
    ("construction", "建筑工程"),
    ("logistics", "物流"),
    ("software", "软件科技"),
    ("food", "食品"),
    ("textile", "纺织"),
    ("healthcare", "医疗器械"),
    ("energy", "新能源"),
    ("agriculture", "农业发展"),
)
COMPANY_FORMS = ("有限公司", "股份有限公司", "有限责任公司")
OCCUPATIONS = (
    "teacher",
    "engineer",
    "civil_servant",
    "nurse",
    "doctor",
    "sales",
    "accountant",
    "driver",
    "self_employed",
    "student",
    "retired",
    "executive",
)
STREETS = (
    ("人民路", "Renmin Road"),
    ("中山路", "Zhongshan Road"),
    ("解放路", "Jiefang Road"),
    ("建设路", "Jianshe Road"),
    ("和平路", "Heping Road"),
    ("新华路", "Xinhua Road"),
    ("长江路", "Changjiang Road"),
    ("文化路", "Wenhua Road"),
    ("光明路", "Guangming Road"),
    ("胜利路", "Shengli Road"),
    ("友谊路", "Youyi Road"),
    ("滨江路", "Binjiang Road"),
    ("科技路", "Keji Road"),
    ("学府路", "Xuefu Road"),
    ("迎宾路", "Yingbin Road"),
    ("朝阳路", "Chaoyang Road"),
    ("环城路", "Huancheng Road"),
    ("北京路", "Beijing Road"),
)
# Region: code, Chinese and English name, six digits of its division, districts or cities.
REGIONS = (
    (
        "sh",
        "上海",
        "Shanghai",
        310000,
        ("浦东 Pudong", "徐汇 Xuhui", "闵行 Minhang", "杨浦 Yangpu", "宝山 Baoshan", "嘉定 Jiading"),
    ),
    (
        "js",
        "江苏",
        "Jiangsu",
        320000,
        ("南京 Nanjing", "苏州 Suzhou", "无锡 Wuxi", "常州 Changzhou", "南通 Nantong", "扬州 Yangzhou"),
    ),
    (
        "zj",
        "浙江",
        "Zhejiang",
        330000,
        ("杭州 Hangzhou", "宁波 Ningbo", "温州 Wenzhou", "嘉兴 Jiaxing", "绍兴 Shaoxing", "金华 Jinhua"),
    ),
    (
        "gd",
        "广东",
        "Guangdong",
        440000,
        ("广州 Guangzhou", "深圳 Shenzhen", "佛山 Foshan", "东莞 Dongguan", "珠海 Zhuhai", "中山 Zhongshan"),
    ),
    (
        "bj",
        "北京",
        "Beijing",
        110000,
        ("朝阳 Chaoyang", "海淀 Haidian", "西城 Xicheng", "丰台 Fengtai", "通州 Tongzhou", "大兴 Daxing"),
    ),
    (
        "sd",
        "山东",
        "Shandong",
        370000,
        ("济南 Jinan", "青岛 Qingdao", "烟台 Yantai", "潍坊 Weifang", "临沂 Linyi", "淄博 Zibo"),
    ),
    (
        "sc",
        "四川",
        "Sichuan",
        510000,
        ("成都 Chengdu", "绵阳 Mianyang", "德阳 Deyang", "宜宾 Yibin", "泸州 Luzhou", "乐山 Leshan"),
    ),
    (
        "hb",
        "湖北",
        "Hubei",
        420000,
        ("武汉 Wuhan", "宜昌 Yichang", "襄阳 Xiangyang", "荆州 Jingzhou", "黄石 Huangshi", "十堰 Shiyan"),
    ),
    (
        "fj",
        "福建",
        "Fujian",
        350000,
        ("福州 Fuzhou", "厦门 Xiamen", "泉州 Quanzhou", "漳州 Zhangzhou", "莆田 Putian", "宁德 Ningde"),
    ),
    (
        "hn",
        "湖南",
        "Hunan",
        430000,
        ("长沙 Changsha", "株洲 Zhuzhou", "湘潭 Xiangtan", "岳阳 Yueyang", "衡阳 Hengyang", "常德 Changde"),
    ),
    (
        "sn",
        "陕西",
        "Shaanxi",
        610000,
        ("西安 Xian", "咸阳 Xianyang", "宝鸡 Baoji", "渭南 Weinan", "榆林 Yulin", "汉中 Hanzhong"),
    ),
    (
        "ln",
        "辽宁",
        "Liaoning",
        210000,
        ("沈阳 Shenyang", "大连 Dalian", "鞍山 Anshan", "抚顺 Fushun", "锦州 Jinzhou", "营口 Yingkou"),
    ),
)
