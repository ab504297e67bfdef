import csv,collections,os
os.chdir(os.path.dirname(os.path.abspath(__file__)))
W=dict(plain=18,short=10,particles=10,spacing=8,typo=8,slang=8,synonym=6,long=4,near=16,off=8)
for t in 'hotel tutoring cosmetics orthopedics'.split():
    b=list(csv.reader(open(t+'.csv',encoding='utf-8',newline='')))
    assert ','.join(b[0])=='category1,category2,category3,category4,question,answer,imageUrl,landingUrl'
    assert len(b)==31 and all(len(r)==8 and r[0] and r[1] and r[4] and r[5] and not(r[2]or r[3]or r[6]or r[7]) for r in b[1:]),t
    Q=[r[4] for r in b[1:]]; assert len(set(Q))==30
    p=list(csv.reader(open(t+'-pairs.csv',encoding='utf-8',newline='')))
    assert p[0]==['utterance','question','kind'] and len(p)==97 and all(len(r)==3 for r in p)
    c=collections.Counter(r[2] for r in p[1:]); assert c==W,(t,c)
    for u,q,k in p[1:]:
        assert u and u==u.strip()
        assert (q=='')==(k in('near','off')); assert not q or q in Q; assert u not in Q
    n=[r[0] for r in p[1:]]; d=[x for x,y in collections.Counter(n).items() if y>1]; assert not d,(t,d)
    m=collections.Counter(''.join(x.split()).rstrip('?.!~') for x in n); print(t,'items 30, pairs 96, answered',sum(1 for r in p[1:] if r[1]),dict(c),'near-dup',[x for x,y in m.items() if y>1])
