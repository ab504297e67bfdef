package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const replayed = `{"utterances":1000,"minimum_accuracy":70,"steps":[
	{"minimum_accuracy":50,"answered":871,"choices":20,"unanswered":109,"changed":88,"changes":[
		{"asked":"교환 되나여","times":9,"score":64,"before":{"why":"nothing","name":"폴백 블록"},"now":{"why":"knowledge","name":"교환하고 싶어요"}},
		{"asked":"영수증","times":2,"score":61,"before":{"why":"nothing"},"now":{"why":"choice"}}]},
	{"minimum_accuracy":70,"answered":700,"choices":0,"unanswered":300,"changed":0,"changes":[]}]}`

func TestBotReplay(t *testing.T) {
	came := uploads(t, replayed)
	picture := filepath.Join(t.TempDir(), "replay.svg")
	got := malgil(t, "bot", "replay", "b1", "--last=1000", "--at=50", "--picture="+picture)
	if call := strings.TrimSpace(came()); call != "GET /api/v1/bots/b1/replay?last=1000&side=live" || got.code != 0 {
		t.Fatalf("called %q and exits %d with %q", call, got.code, got.stderr)
	}
	for _, text := range []string{
		"1000 utterances; the bot's minimum accuracy is 70", strings.Repeat("█", 35) + "▒░░░░", strings.Repeat("█", 28) + strings.Repeat("░", 12) + "  now",
		"At 50, 88 are answered otherwise", "교환 되나여  no answer  교환하고 싶어요", "영수증       no answer  a choice",
	} {
		if !strings.Contains(got.stdout, text) {
			t.Errorf("it prints\n%s\nwant %q in it", got.stdout, text)
		}
	}
	drawn, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v\n%s", err, drawn)
		}
	}
	for _, text := range []string{
		"최근 발화 1000건 · 현재 70", "50: 답변 871, 선택 질문 20, 폴백 109, 달라지는 발화 88", `height="209"`, `height="4"`, `height="26"`, ">70 ◀<",
	} {
		if !strings.Contains(string(drawn), text) {
			t.Errorf("the picture is\n%s\nwant %q in it", drawn, text)
		}
	}
}

func TestBotReplay_flags(t *testing.T) {
	uploads(t, replayed)
	for _, flags := range [][]string{{"--json", "--picture=x.svg"}, {"--at=52"}, {"--at=40"}, {"--at=100"}} {
		if got := malgil(t, append([]string{"bot", "replay", "b1"}, flags...)...); got.code != exitUsage || !strings.Contains(got.stderr, flags[0][:4]) {
			t.Errorf("bot replay %v = exit %d, %q, want 2 and which flag", flags, got.code, got.stderr)
		}
	}
	if got := malgil(t, "bot", "replay", "b1", "--picture="+filepath.Join(t.TempDir(), "none", "x.svg")); got.code != exitFailed || !strings.Contains(got.stderr, "write the picture") {
		t.Errorf("a picture into no folder = exit %d, %q", got.code, got.stderr)
	}
}

func TestBotUnanswered(t *testing.T) {
	came := uploads(t, `{"items":[
		{"times":31,"texts":4,"words":[{"asked":"선물 포장 되나요","times":19},{"asked":"선물포장 해주세요","times":8}],"nearest":{"question":"배송은 며칠 걸리나요?","score":41}},
		{"times":2,"texts":1,"words":[{"asked":"ㅁㄴㅇㄹ","times":2}]}]}`)
	got := malgil(t, "bot", "unanswered", "b1", "--days=7")
	if call := strings.TrimSpace(came()); call != "GET /api/v1/bots/b1/unanswered?days=7&limit=50&side=live" || got.code != 0 {
		t.Fatalf("called %q and exits %d with %q", call, got.code, got.stderr)
	}
	for _, text := range []string{"31     선물 포장 되나요  선물포장 해주세요 and 2 more  배송은 며칠 걸리나요? (41)", "2      ㅁㄴㅇㄹ"} {
		if !strings.Contains(got.stdout, text) {
			t.Errorf("it prints\n%s\nwant %q in it", got.stdout, text)
		}
	}
}

func TestBotUtterances(t *testing.T) {
	came := uploads(t, `{"items":[{"id":"utt_1","side":"live","at":"2026-11-24T01:00:00Z","user":"9f2c1a7be004","asked":"배송","why":"knowledge","question":"배송은 며칠 걸리나요?","score":88,"outcome":"direct","budget_left_ms":3987}]}`)
	got := malgil(t, "bot", "utterances", "b1", "--why=knowledge")
	if call := strings.TrimSpace(came()); call != "GET /api/v1/bots/b1/utterances?limit=50&why=knowledge" || got.code != 0 {
		t.Fatalf("called %q and exits %d with %q", call, got.code, got.stderr)
	}
	if want := "2026-11-24 10:00:00 KST"; !strings.Contains(got.stdout, want) || !strings.Contains(got.stdout, "배송은 며칠 걸리나요?") || !strings.Contains(got.stdout, "3987 ms") {
		t.Errorf("it prints\n%s\nwant %q, the answer and the time left", got.stdout, want)
	}
	if help := malgil(t, "bot", "utterances", "--help").stdout; !strings.Contains(help, "first_entry") || !strings.Contains(help, "server_failed") {
		t.Errorf("its help is\n%s\nwant every rule and every outcome in it", help)
	}
}

func TestClip(t *testing.T) {
	for text, want := range map[string]string{
		"": "", strings.Repeat("a", 40): strings.Repeat("a", 40), strings.Repeat("a", 41): strings.Repeat("a", 39) + "…",
		strings.Repeat("가", 20): strings.Repeat("가", 20), strings.Repeat("가", 1000): strings.Repeat("가", 19) + "…",
	} {
		if got := clip(text); got != want {
			t.Errorf("clip(%q) = %q, want %q", text, got, want)
		}
	}
}
