-- Word lists, and functions that make text of them. They live in pg_temp: none of this is in the database that gets backed up.
-- random() is the only source of chance and setseed() starts each session that fills tables, so the data are the same every time.

-- Words in falling order of frequency: prose() picks early ones more often, as language does.
CREATE FUNCTION pg_temp.prose(words int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    w text[] := string_to_array('the,to,and,of,a,in,your,is,for,you,we,it,on,with,order,this,that,our,be,have,are,not,as,at,from,'
        'please,will,if,was,by,has,or,can,delivery,an,my,but,all,more,so,when,there,been,which,parcel,they,their,day,new,would,about,'
        'one,time,only,any,after,thank you,what,invoice,price,customer,size,also,no,out,up,week,were,than,just,some,before,other,into,'
        'payment,could,how,back,who,then,first,two,address,very,still,account,colour,return,made,over,them,box,send,item,need,should,'
        'good,number,its,received,contact,stock,today,same,because,even,refund,now,use,where,again,email,next,much,help,many,must,'
        'through,like,shipping,shop,know,service,open,got,arrived,name,last,card,well,question,year,working,call,while,code,since,part,'
        'between,without,check,voucher,month,during,until,find,weeks later,once,another,however,amount,different,discount,free,most,'
        'warehouse,missing,details,damaged,change,both,possible,small,delivered,under,give,reply,half,each,friend,place,home,phone,'
        'already,right,quality,always,request,team,problem,long,old,total,against,confirm,door,never,morning,bank,black,seems,replace,'
        'instead,label,present,large,sorry,blue,carrier,wrong,tracking number,kind regards,best wishes,as soon as possible,by the way,'
        'kitchen,garden,table,lamp,chair,cotton,leather,wooden,battery,charger,cable,screen,jacket,trousers,shoes,boots,scarf,gloves,'
        'bicycle,helmet,saddle,tyre,pump,tent,sleeping bag,rucksack,bottle,kettle,teapot,saucepan,knife,spoon,towel,pillow,blanket,'
        'curtain,carpet,mirror,shelf,drawer,hammer,screwdriver,drill,ladder,paint,brush,hose,seeds,soil,flower,basket,candle,perfume,'
        'soap,toothbrush,razor,book,notebook,pencil,paper,envelope,calendar,puzzle,doll,kite,football,racket,swimsuit,goggles,guitar,'
        'piano,headphones,speaker,camera,tripod,memory card,keyboard,mouse,printer,monitor,router,Monday,Tuesday,Wednesday,Thursday,'
        'Friday,Saturday,Sunday,January,February,March,April,June,July,August,September,October,November,December,Lisbon,Zürich,Kraków,'
        'Århus,Málaga,Dublin,Genève,København,Győr,Brno,Tromsø,Reykjavík,unfortunately,immediately,approximately,nevertheless,'
        'replacement,guarantee,instructions,manufacturer,measurement,subscription,newsletter,loyalty points,gift card,customs,'
        'declaration,signature,neighbour,collection point,opening hours,receipt,statement,reminder,overdue,instalment,mandate,IBAN',
        ',');
    n int := array_length(w, 1);
    text_so_far text := '';
    word text;
    left_in_sentence int := 0;
BEGIN
    FOR i IN 1..words LOOP
        word := w[1 + floor(n * power(random(), 2.2))::int];
        IF left_in_sentence = 0 THEN
            left_in_sentence := 5 + floor(14 * random())::int;
            word := upper(left(word, 1)) || substr(word, 2);
            text_so_far := text_so_far || word;
        ELSE
            text_so_far := text_so_far || ' ' || word;
        END IF;
        left_in_sentence := left_in_sentence - 1;
        IF left_in_sentence = 0 THEN
            text_so_far := text_so_far || CASE WHEN i % 37 = 0 THEN E'.\n\n' WHEN i % 11 = 0 THEN '? ' ELSE '. ' END;
        END IF;
    END LOOP;
    RETURN rtrim(text_so_far, E'.? \n') || '.';
END $$;

-- One of these, each as likely as the others.
CREATE FUNCTION pg_temp.pick(choices text[]) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT choices[1 + floor(random() * array_length(choices, 1))::int] $$;

CREATE TEMP TABLE given_names AS SELECT row_number() OVER () - 1 AS n, w AS name FROM regexp_split_to_table(
    'Ada,Adam,Agnieszka,Aisha,Alba,Alejandro,Amélie,Ana,Anders,Andrea,Anna,Antoine,Astrid,Ayşe,Beatriz,Björn,Björk,Brigitte,Carla,'
    'Carlos,Cécile,Charlotte,Chiara,Chloé,Clara,Claire,Daniel,David,Diego,Dmitri,Ebba,Elena,Elif,Elisabeth,Emil,Emma,Enzo,Erik,Eva,'
    'Fatima,Felix,Femke,Filip,Finn,François,Freja,Gabriel,Giulia,Gloria,Greta,Grzegorz,Hanna,Hannah,Hans,Helena,Henrik,Hugo,Ida,Ines,'
    'Ingrid,Irina,Isabel,Ivan,Jakub,Jan,Jana,Jasper,Javier,Joana,João,Johanna,Jonas,José,Julia,Karin,Karl,Katarzyna,Klara,Lars,Laura,'
    'Lea,Leon,Lieke,Liam,Lina,Linnea,Louise,Luca,Lucía,Łukasz,Maeve,Magnus,Maja,Marco,Maria,Mariana,Marta,Martin,Mateo,Matilda,Max,'
    'Mehmet,Mia,Mikkel,Milan,Mina,Mohammed,Nadia,Niamh,Nico,Nina,Noah,Nora,Oisín,Ola,Olga,Oliver,Omar,Oskar,Pablo,Paula,Pedro,Petra,'
    'Piotr,Raquel,Rasmus,Sara,Saoirse,Sébastien,Siobhán,Sofia,Søren,Stefan,Sven,Tamara,Teresa,Theo,Thomas,Tiago,Tom,Tomáš,Ugo,Ulrike,'
    'Vera,Victor,Viktória,Wanda,Willem,Yasmin,Yusuf,Zoë,Zofia,Zsófia', ',') AS w;
CREATE TEMP TABLE family_names AS SELECT row_number() OVER () - 1 AS n, w AS name FROM regexp_split_to_table(
    'Almeida,Andersen,Andersson,Bauer,Becker,Bernard,Bianchi,Blanco,Borg,Bosch,Brandt,Byrne,Carvalho,Castro,Christensen,Colombo,Costa,'
    'da Silva,de Boer,de Vries,Demir,Díaz,Doyle,Dubois,Dupont,Eriksson,Esposito,Fernández,Ferrari,Fischer,Fontana,Fournier,García,Greco,'
    'Gómez,Hansen,Hofer,Hoffmann,Horváth,Huber,Ivanov,Jansen,Janssens,Jensen,Johansson,Kaya,Keller,Kelly,Kovács,Kowalski,Kraus,Kristensen,'
    'Larsen,Laurent,Lefèvre,Leroy,Lindqvist,López,Lund,Maier,Marino,Martínez,Mazur,Meyer,Møller,Moreau,Moretti,Müller,Murphy,Nagy,Navarro,'
    'Nielsen,Nilsson,Novák,Nowak,O''Brien,O''Connor,Olsen,Pedersen,Pereira,Peeters,Petit,Popescu,Ricci,Richter,Rodríguez,Romano,Rossi,'
    'Ruiz,Ryan,Sánchez,Santos,Schmid,Schneider,Schröder,Simon,Sørensen,Szabó,Şahin,Torres,Tóth,van den Berg,van Dijk,Vasilev,Visser,Vogel,'
    'Wagner,Weber,Wiśniewski,Wójcik,Yılmaz,Zając,Zimmermann', ',') AS w;
