package kakao_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/kakao"
)

const picture = "https://img.hanbit.example/box.png"

func chars(n int) string { return strings.Repeat("가", n) }

func rows(n int) string { return strings.Repeat("줄\n", n-1) + "줄" }

func textCard(c kakao.TextCard) kakao.Output         { return kakao.Output{TextCard: &c} }
func basicCard(c kakao.BasicCard) kakao.Output       { return kakao.Output{BasicCard: &c} }
func commerceCard(c kakao.CommerceCard) kakao.Output { return kakao.Output{CommerceCard: &c} }
func listCard(c kakao.ListCard) kakao.Output         { return kakao.Output{ListCard: &c} }
func itemCard(c kakao.ItemCard) kakao.Output         { return kakao.Output{ItemCard: &c} }
func carousel(c kakao.Carousel) kakao.Output         { return kakao.Output{Carousel: &c} }

func thumbnail() *kakao.Thumbnail { return &kakao.Thumbnail{ImageURL: picture} }

func commerce() kakao.CommerceCard {
	return kakao.CommerceCard{Price: new(int64(14_200)), Thumbnails: []kakao.Thumbnail{*thumbnail()}}
}

func items(n int) []kakao.Item {
	all := make([]kakao.Item, n)
	for i := range all {
		all[i] = kakao.Item{Title: "주문", Description: "1권"}
	}
	return all
}

func listItems(n int) []kakao.ListItem {
	all := make([]kakao.ListItem, n)
	for i := range all {
		all[i] = kakao.ListItem{Title: "겨울 바다"}
	}
	return all
}

func buttons(n int, label string) []kakao.Button {
	all := make([]kakao.Button, n)
	for i := range all {
		all[i] = kakao.Button{Action: "operator", Label: label}
	}
	return all
}

func cards(n int, make func() kakao.Card) (all []kakao.Card) {
	for range n {
		all = append(all, make())
	}
	return all
}

func texts(n int) (all []kakao.Output) {
	for range n {
		all = append(all, kakao.Output{SimpleText: &kakao.SimpleText{Text: "네"}})
	}
	return all
}

// Each limit once exactly at it, where the answer may leave, and once past it, where the
// problem names the place.
func TestLint_limits(t *testing.T) {
	text := func(s string) kakao.Output { return kakao.Output{SimpleText: &kakao.SimpleText{Text: s}} }
	image := func(address, alt string) kakao.Output {
		return kakao.Output{SimpleImage: &kakao.SimpleImage{ImageURL: address, AltText: alt}}
	}
	textCards := func(n int, description string) kakao.Output {
		return carousel(kakao.Carousel{Type: "textCard", Items: cards(n, func() kakao.Card { return &kakao.TextCard{Description: description} })})
	}
	basicCards := func(c kakao.BasicCard) kakao.Output {
		return carousel(kakao.Carousel{Type: "basicCard", Items: cards(2, func() kakao.Card { return &c })})
	}
	itemCards := func(c kakao.ItemCard) kakao.Output {
		return carousel(kakao.Carousel{Type: "itemCard", Items: cards(2, func() kakao.Card { return &c })})
	}
	listCards := func(n, lines int) kakao.Output {
		return carousel(kakao.Carousel{Type: "listCard", Items: cards(n, func() kakao.Card {
			return &kakao.ListCard{Header: kakao.ListHeader{Title: "신간"}, Items: listItems(lines)}
		})})
	}
	headed := func(cardType string, header kakao.CarouselHeader) kakao.Output {
		card := func() kakao.Card { return &kakao.BasicCard{Thumbnail: thumbnail()} }
		if cardType == "textCard" {
			card = func() kakao.Card { return &kakao.TextCard{Title: "신간"} }
		}
		return carousel(kakao.Carousel{Type: cardType, Header: &header, Items: cards(2, card)})
	}
	withButtons := func(layout string, list []kakao.Button) kakao.Output {
		return textCard(kakao.TextCard{Title: "신간", Buttons: kakao.Buttons{Layout: layout, List: list}})
	}
	fixed := func(n int) kakao.Output {
		return basicCard(kakao.BasicCard{
			Thumbnail: &kakao.Thumbnail{ImageURL: picture, FixedRatio: true},
			Buttons:   kakao.Buttons{List: buttons(n, "상담")},
		})
	}
	button := func(b kakao.Button) kakao.Output { return withButtons("", []kakao.Button{b}) }
	commerceWith := func(change func(*kakao.CommerceCard)) kakao.Output {
		c := commerce()
		change(&c)
		return commerceCard(c)
	}
	item := func(change func(*kakao.ItemCard)) kakao.Output {
		c := kakao.ItemCard{Items: items(1)}
		change(&c)
		return itemCard(c)
	}
	header := kakao.ListHeader{Title: "신간"}
	tests := map[string]struct {
		at, past kakao.Output
		path     string
	}{
		"text":                     {text(chars(1000)), text(chars(1001)), ".simpleText.text"},
		"text of emoji":            {text(strings.Repeat("🙂", 500)), text(strings.Repeat("🙂", 500) + "!"), ".simpleText.text"},
		"text counted after NFC":   {text(strings.Repeat("\u1112\u1161\u11ab", 1000)), text(strings.Repeat("\u1112\u1161\u11ab", 1001)), ".simpleText.text"},
		"text required":            {text("네"), text(" \n"), ".simpleText.text"},
		"image":                    {image(picture, chars(50)), image(picture, chars(51)), ".simpleImage.altText"},
		"image address":            {image("http://a.example/b.png", ""), image("ftp://a.example/b.png", ""), ".simpleImage.imageUrl"},
		"image required":           {image(picture, ""), image("", ""), ".simpleImage.imageUrl"},
		"text card title":          {textCard(kakao.TextCard{Title: chars(50)}), textCard(kakao.TextCard{Title: chars(51)}), ".textCard.title"},
		"text card of nothing":     {textCard(kakao.TextCard{Description: "네"}), textCard(kakao.TextCard{}), ".textCard"},
		"text card together":       {textCard(kakao.TextCard{Title: chars(50), Description: chars(350)}), textCard(kakao.TextCard{Title: chars(50), Description: chars(351)}), ".textCard"},
		"text card in a carousel":  {textCards(2, chars(128)), textCards(2, chars(129)), ".carousel.items[0].description"},
		"basic card title":         {basicCard(kakao.BasicCard{Title: chars(50), Thumbnail: thumbnail()}), basicCard(kakao.BasicCard{Title: chars(51), Thumbnail: thumbnail()}), ".basicCard.title"},
		"basic card description":   {basicCard(kakao.BasicCard{Description: chars(230), Thumbnail: thumbnail()}), basicCard(kakao.BasicCard{Description: chars(231), Thumbnail: thumbnail()}), ".basicCard.description"},
		"basic card picture":       {basicCard(kakao.BasicCard{Thumbnail: thumbnail()}), basicCard(kakao.BasicCard{Title: "x"}), ".basicCard.thumbnail"},
		"basic card in a carousel": {basicCards(kakao.BasicCard{Title: rows(2), Thumbnail: thumbnail()}), basicCards(kakao.BasicCard{Title: rows(3), Thumbnail: thumbnail()}), ".carousel.items[0].title"},
		"thumbnail text":           {basicCard(kakao.BasicCard{Thumbnail: &kakao.Thumbnail{ImageURL: picture, AltText: chars(50)}}), basicCard(kakao.BasicCard{Thumbnail: &kakao.Thumbnail{ImageURL: picture, AltText: chars(51)}}), ".basicCard.thumbnail.altText"},
		"commerce title":           {commerceWith(func(c *kakao.CommerceCard) { c.Title = chars(30) }), commerceWith(func(c *kakao.CommerceCard) { c.Title = chars(31) }), ".commerceCard.title"},
		"commerce description":     {commerceWith(func(c *kakao.CommerceCard) { c.Description = chars(40) }), commerceWith(func(c *kakao.CommerceCard) { c.Description = chars(41) }), ".commerceCard.description"},
		"commerce price":           {commerceWith(func(c *kakao.CommerceCard) { c.Price = new(int64(0)) }), commerceWith(func(c *kakao.CommerceCard) { c.Price = nil }), ".commerceCard.price"},
		"commerce currency":        {commerceWith(func(c *kakao.CommerceCard) { c.Currency = "won" }), commerceWith(func(c *kakao.CommerceCard) { c.Currency = "usd" }), ".commerceCard.currency"},
		"commerce one picture":     {commerceCard(commerce()), commerceWith(func(c *kakao.CommerceCard) { c.Thumbnails = append(c.Thumbnails, *thumbnail()) }), ".commerceCard.thumbnails"},
		"commerce no picture":      {commerceCard(commerce()), commerceWith(func(c *kakao.CommerceCard) { c.Thumbnails = nil }), ".commerceCard.thumbnails"},
		"commerce discount rate":   {commerceWith(func(c *kakao.CommerceCard) { c.DiscountRate, c.DiscountedPrice = 10, new(int64(1)) }), commerceWith(func(c *kakao.CommerceCard) { c.DiscountRate = 10 }), ".commerceCard.discountedPrice"},
		"commerce seller":          {commerceWith(func(c *kakao.CommerceCard) { c.Profile = &kakao.Profile{Nickname: "한빛"} }), commerceWith(func(c *kakao.CommerceCard) { c.Profile = &kakao.Profile{} }), ".commerceCard.profile.nickname"},
		"list lines":               {listCard(kakao.ListCard{Header: header, Items: listItems(5)}), listCard(kakao.ListCard{Header: header, Items: listItems(6)}), ".listCard.items"},
		"list empty":               {listCard(kakao.ListCard{Header: header, Items: listItems(1)}), listCard(kakao.ListCard{Header: header}), ".listCard.items"},
		"list header":              {listCard(kakao.ListCard{Header: header, Items: listItems(1)}), listCard(kakao.ListCard{Items: listItems(1)}), ".listCard.header.title"},
		"list line without title":  {listCard(kakao.ListCard{Header: header, Items: listItems(1)}), listCard(kakao.ListCard{Header: header, Items: []kakao.ListItem{{Description: "x"}}}), ".listCard.items[0].title"},
		"list line calls a block":  {listCard(kakao.ListCard{Header: header, Items: []kakao.ListItem{{Title: "x", Action: "block", BlockID: "b"}}}), listCard(kakao.ListCard{Header: header, Items: []kakao.ListItem{{Title: "x", Action: "block"}}}), ".listCard.items[0].blockId"},
		"list line action":         {listCard(kakao.ListCard{Header: header, Items: []kakao.ListItem{{Title: "x", Action: "message"}}}), listCard(kakao.ListCard{Header: header, Items: []kakao.ListItem{{Title: "x", Action: "phone"}}}), ".listCard.items[0].action"},
		"list in a carousel":       {listCards(5, 4), listCards(5, 5), ".carousel.items[0].items"},
		"lists in a carousel":      {listCards(5, 4), listCards(6, 4), ".carousel.items"},
		"items":                    {itemCard(kakao.ItemCard{Items: items(10)}), itemCard(kakao.ItemCard{Items: items(11)}), ".itemCard.itemList"},
		"items in a carousel":      {itemCards(kakao.ItemCard{Items: items(5)}), itemCards(kakao.ItemCard{Items: items(6)}), ".carousel.items[0].itemList"},
		"item title":               {itemCard(kakao.ItemCard{Items: []kakao.Item{{Title: chars(6)}}}), itemCard(kakao.ItemCard{Items: []kakao.Item{{Title: chars(7)}}}), ".itemCard.itemList[0].title"},
		"item lines":               {itemCard(kakao.ItemCard{Items: []kakao.Item{{Title: "x", Description: rows(2)}}}), itemCard(kakao.ItemCard{Items: []kakao.Item{{Title: "x", Description: rows(3)}}}), ".itemCard.itemList[0].description"},
		"item head or profile": {item(func(c *kakao.ItemCard) { c.Head = &kakao.ItemHead{Title: "x"} }), item(func(c *kakao.ItemCard) {
			c.Head, c.Profile = &kakao.ItemHead{Title: "x"}, &kakao.ItemProfile{Title: "x"}
		}), ".itemCard"},
		"item profile":                 {item(func(c *kakao.ItemCard) { c.Profile = &kakao.ItemProfile{Title: chars(15)} }), item(func(c *kakao.ItemCard) { c.Profile = &kakao.ItemProfile{Title: chars(16)} }), ".itemCard.profile.title"},
		"item alignment":               {item(func(c *kakao.ItemCard) { c.Alignment = "right" }), item(func(c *kakao.ItemCard) { c.Alignment = "center" }), ".itemCard.itemListAlignment"},
		"item summary title":           {item(func(c *kakao.ItemCard) { c.ItemListSummary = &kakao.Item{Title: chars(6)} }), item(func(c *kakao.ItemCard) { c.ItemListSummary = &kakao.Item{Title: chars(7)} }), ".itemCard.itemListSummary.title"},
		"item summary":                 {item(func(c *kakao.ItemCard) { c.ItemListSummary = &kakao.Item{Title: "합계", Description: chars(14)} }), item(func(c *kakao.ItemCard) { c.ItemListSummary = &kakao.Item{Title: "합계", Description: chars(15)} }), ".itemCard.itemListSummary.description"},
		"item description needs title": {item(func(c *kakao.ItemCard) { c.Title, c.Description = "x", "y" }), item(func(c *kakao.ItemCard) { c.Description = "y" }), ".itemCard.title"},
		"item text":                    {item(func(c *kakao.ItemCard) { c.Title, c.Description = chars(20), chars(180) }), item(func(c *kakao.ItemCard) { c.Title, c.Description = chars(20), chars(181) }), ".itemCard"},
		"item text in a carousel":      {itemCards(kakao.ItemCard{Items: items(1), Title: chars(100)}), itemCards(kakao.ItemCard{Items: items(1), Title: chars(101)}), ".carousel.items[0]"},
		"item text lines":              {item(func(c *kakao.ItemCard) { c.Title, c.Description = rows(2), rows(10) }), item(func(c *kakao.ItemCard) { c.Title, c.Description = rows(2), rows(11) }), ".itemCard"},
		"item picture":                 {item(func(c *kakao.ItemCard) { c.Thumbnail = &kakao.Thumbnail{ImageURL: picture, Width: 800, Height: 800} }), item(func(c *kakao.ItemCard) { c.Thumbnail = &kakao.Thumbnail{ImageURL: picture, Width: 800, Height: 600} }), ".itemCard.thumbnail"},
		"item picture in a carousel":   {itemCards(kakao.ItemCard{Items: items(1), Thumbnail: &kakao.Thumbnail{ImageURL: picture, Width: 800, Height: 400}}), itemCards(kakao.ItemCard{Items: items(1), Thumbnail: &kakao.Thumbnail{ImageURL: picture, Width: 400, Height: 400}}), ".carousel.items[0].thumbnail"},
		"carousel":                     {textCards(10, "네"), textCards(11, "네"), ".carousel.items"},
		"carousel empty":               {textCards(1, "네"), textCards(0, ""), ".carousel.items"},
		"carousel of two types":        {textCards(2, "네"), carousel(kakao.Carousel{Type: "textCard", Items: []kakao.Card{&kakao.TextCard{Title: "x"}, &kakao.BasicCard{Thumbnail: thumbnail()}}}), ".carousel.items[1]"},
		"carousel type":                {textCards(2, "네"), carousel(kakao.Carousel{Type: "simpleText"}), ".carousel.type"},
		"carousel of two ratios":       {basicCards(kakao.BasicCard{Thumbnail: thumbnail()}), carousel(kakao.Carousel{Type: "basicCard", Items: []kakao.Card{&kakao.BasicCard{Thumbnail: thumbnail()}, &kakao.BasicCard{Thumbnail: &kakao.Thumbnail{ImageURL: picture, FixedRatio: true}}}}), ".carousel.items[1].thumbnail"},
		"carousel header title":        {headed("basicCard", kakao.CarouselHeader{Title: rows(2)}), headed("basicCard", kakao.CarouselHeader{Title: rows(3)}), ".carousel.header.title"},
		"carousel header description":  {headed("basicCard", kakao.CarouselHeader{Description: rows(3)}), headed("basicCard", kakao.CarouselHeader{Description: rows(4)}), ".carousel.header.description"},
		"carousel header of texts":     {headed("basicCard", kakao.CarouselHeader{}), headed("textCard", kakao.CarouselHeader{}), ".carousel.header"},
		"buttons":                      {withButtons("vertical", buttons(3, chars(14))), withButtons("vertical", buttons(4, "상담")), ".textCard.buttons"},
		"buttons side by side":         {withButtons("horizontal", buttons(2, chars(8))), withButtons("horizontal", buttons(3, "상담")), ".textCard.buttons"},
		"buttons of a fixed picture":   {fixed(2), fixed(3), ".basicCard.buttons"},
		"label":                        {withButtons("", buttons(1, chars(14))), withButtons("", buttons(1, chars(15))), ".textCard.buttons[0].label"},
		"label alone on its line":      {withButtons("horizontal", buttons(1, chars(14))), withButtons("horizontal", buttons(2, chars(9))), ".textCard.buttons[0].label"},
		"label required":               {withButtons("", buttons(1, "상담")), withButtons("", buttons(1, "")), ".textCard.buttons[0].label"},
		"layout":                       {withButtons("", nil), withButtons("diagonal", nil), ".textCard.buttonLayout"},
		"web link":                     {button(kakao.Button{Action: "webLink", Label: "보기", WebLinkURL: "https://a.example/"}), button(kakao.Button{Action: "webLink", Label: "보기", WebLinkURL: "javascript:alert(1)"}), ".textCard.buttons[0].webLinkUrl"},
		"phone":                        {button(kakao.Button{Action: "phone", Label: "전화", PhoneNumber: "02-123-4567"}), button(kakao.Button{Action: "phone", Label: "전화"}), ".textCard.buttons[0].phoneNumber"},
		"block":                        {button(kakao.Button{Action: "block", Label: "처음", BlockID: "b"}), button(kakao.Button{Action: "block", Label: "처음"}), ".textCard.buttons[0].blockId"},
		"action":                       {button(kakao.Button{Action: "share", Label: "공유"}), button(kakao.Button{Action: "osLink", Label: "앱"}), ".textCard.buttons[0].action"},
		"30 KB of a bubble":            {bubble(30_000), bubble(30_001), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := kakao.Lint(kakao.Respond(tt.at)); len(got) != 0 {
				t.Errorf("Lint(at the limit) = %v, want no problem", got)
			}
			wantPath(t, kakao.Respond(tt.past), "template.outputs[0]"+tt.path)
		})
	}
}

// bubble returns a list card of exactly n bytes as JSON: the lines' descriptions have no
// limit of their own.
func bubble(n int) kakao.Output {
	card := func(filler int) kakao.Output {
		return listCard(kakao.ListCard{Header: kakao.ListHeader{Title: "x"}, Items: []kakao.ListItem{
			{Title: "x", Description: strings.Repeat("<", filler)}, // escaped it would count six times
		}})
	}
	body, _ := kakao.Respond(card(1)).JSON()
	around := len(body) - 1 - len(`{"version":"2.0","template":{"outputs":[]}}`)
	return card(n - around)
}

func wantPath(t *testing.T, r kakao.SkillResponse, path string) {
	t.Helper()
	problems := kakao.Lint(r)
	for _, p := range problems {
		if p.Path == path {
			return
		}
	}
	t.Errorf("Lint(past the limit) = %v, want a problem at %s", problems, path)
}

func TestLint_response(t *testing.T) {
	reply := func(q kakao.QuickReply) kakao.SkillResponse {
		r := kakao.Text("네")
		r.Template.QuickReplies = []kakao.QuickReply{q}
		return r
	}
	replies := func(n int) kakao.SkillResponse {
		r := kakao.Text("네")
		for range n {
			r.Template.QuickReplies = append(r.Template.QuickReplies, kakao.QuickReply{Label: "처음", Action: "message"})
		}
		return r
	}
	context := func(v kakao.ContextValue) kakao.SkillResponse {
		r := kakao.Text("네")
		r.Context = &kakao.Context{Values: []kakao.ContextValue{v}}
		return r
	}
	both := kakao.Text("네")
	both.UseCallback = true
	unversioned := kakao.Text("네")
	unversioned.Version = ""
	tests := map[string]struct {
		at, past kakao.SkillResponse
		path     string
	}{
		"outputs":             {kakao.Respond(texts(3)...), kakao.Respond(texts(4)...), "template.outputs"},
		"no outputs":          {kakao.Respond(texts(1)...), kakao.Respond(), "template.outputs"},
		"no component":        {kakao.Text("네"), kakao.Respond(kakao.Output{}), "template.outputs[0]"},
		"two components":      {kakao.Text("네"), kakao.Respond(kakao.Output{SimpleText: &kakao.SimpleText{Text: "x"}, TextCard: &kakao.TextCard{Title: "x"}}), "template.outputs[0]"},
		"quick replies":       {replies(10), replies(11), "template.quickReplies"},
		"quick reply label":   {reply(kakao.QuickReply{Label: chars(14), Action: "message"}), reply(kakao.QuickReply{Label: chars(15), Action: "message"}), "template.quickReplies[0].label"},
		"quick reply named":   {reply(kakao.QuickReply{Label: "x", Action: "message"}), reply(kakao.QuickReply{Action: "message"}), "template.quickReplies[0].label"},
		"quick reply block":   {reply(kakao.QuickReply{Label: "x", Action: "block", BlockID: "b"}), reply(kakao.QuickReply{Label: "x", Action: "block"}), "template.quickReplies[0].blockId"},
		"quick reply action":  {reply(kakao.QuickReply{Label: "x", Action: "message"}), reply(kakao.QuickReply{Label: "x", Action: "webLink"}), "template.quickReplies[0].action"},
		"context name":        {context(kakao.ContextValue{Name: "order"}), context(kakao.ContextValue{}), "context.values[0].name"},
		"context life":        {context(kakao.ContextValue{Name: "order", LifeSpan: 0}), context(kakao.ContextValue{Name: "order", LifeSpan: -1}), "context.values[0].lifeSpan"},
		"version":             {kakao.Text("네"), unversioned, "version"},
		"waiting or template": {kakao.Waiting("잠시만요"), both, "template"},
		"data or template":    {kakao.SkillResponse{Version: "2.0", Data: map[string]any{"a": 1}}, kakao.SkillResponse{Version: "2.0"}, "template"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := kakao.Lint(tt.at); len(got) != 0 {
				t.Errorf("Lint(at the limit) = %v, want no problem", got)
			}
			wantPath(t, tt.past, tt.path)
		})
	}
}

func FuzzLint(f *testing.F) {
	for _, r := range golden() {
		body, err := r.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r kakao.SkillResponse
		if json.Unmarshal(body, &r) != nil {
			return
		}
		problems := kakao.Lint(r)
		if r.Template != nil && len(kakao.LintTemplate(*r.Template)) == 0 {
			if got := kakao.LintRoomTemplate(kakao.InRoom(*r.Template)); len(got) > 0 {
				t.Errorf("a channel shows %s, and a room does not show what InRoom makes of it: %v", body, got)
			}
		}
		again, err := r.JSON()
		if err != nil {
			return
		}
		var same kakao.SkillResponse
		if err := json.Unmarshal(again, &same); err != nil {
			t.Fatalf("JSON(%s) = %s, which does not read back: %v", body, again, err)
		}
		if got := kakao.Lint(same); len(got) != len(problems) {
			t.Errorf("Lint after a round trip of %s = %v, want %v", body, got, problems)
		}
	})
}
