package notice_test

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

func TestCases_areKnown(t *testing.T) {
	for _, c := range notice.Cases() {
		data, err := notice.Decode(c, []byte(`{}`))
		if err != nil || data.Case() != c {
			t.Errorf("Decode(%s) = %v, %v, want data of the case", c, data, err)
		}
		if c.Korean() == "" {
			t.Errorf("%s has no Korean name", c)
		}
	}
}

func TestCheckMute(t *testing.T) {
	for c, want := range map[notice.Case]string{
		notice.CaseTopUp: "", notice.CaseLowBalance: "", notice.CaseFreeCashExpiring: "", notice.CaseAutoPayFailure: "",
		notice.CaseUnpaid: "MAIL_ALWAYS_SENT", notice.CaseLongTermFailure: "MAIL_ALWAYS_SENT",
		notice.CaseInvoiceIssued: "MAIL_ALWAYS_SENT", notice.CaseInvoiceFailed: "MAIL_ALWAYS_SENT",
		"": "INVALID", "weather": "INVALID",
	} {
		err := notice.CheckMute(c)
		switch {
		case want == "" && err != nil:
			t.Errorf("CheckMute(%q) = %v, want nil", c, err)
		case want == "MAIL_ALWAYS_SENT" && fault.CodeOf(err) != want, want == "INVALID" && fault.KindOf(err) != fault.Invalid:
			t.Errorf("CheckMute(%q) = %v, want %s", c, err, want)
		}
		if c.CanMute() != (want == "") {
			t.Errorf("%q.CanMute() = %v, want %v", c, c.CanMute(), want == "")
		}
	}
}

func TestMuteLinks(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	links := notice.NewMuteLinks("https://malgil.example/", secret)
	link := links.Of(notice.CaseTopUp, "mail_1")
	token, found := strings.CutPrefix(link, "https://malgil.example/mute/mail_1/")
	if !found || len(token) != 43 {
		t.Fatalf("Of(topup, mail_1) = %q, want a signed address", link)
	}
	if again := notice.NewMuteLinks("https://malgil.example", secret).Of(notice.CaseTopUp, "mail_1"); again != link {
		t.Errorf("the link of another process = %q, want %q", again, link)
	}
	for name, tt := range map[string]struct {
		links       notice.MuteLinks
		mail, token string
		want        bool
	}{
		"its own":                     {links, "mail_1", token, true},
		"another mail's":              {links, "mail_2", token, false},
		"none":                        {links, "mail_1", "", false},
		"cut":                         {links, "mail_1", token[:42], false},
		"of another installation":     {notice.NewMuteLinks("https://malgil.example", []byte("other")), "mail_1", token, false},
		"of one without a public URL": {notice.MuteLinks{}, "mail_1", token, false},
	} {
		if got := tt.links.Opens(tt.mail, tt.token); got != tt.want {
			t.Errorf("%s: Opens(%s) = %v, want %v", name, tt.mail, got, tt.want)
		}
	}
	if got := links.Of(notice.CaseUnpaid, "mail_1"); got != "" {
		t.Errorf("Of(unpaid) = %q, want none", got)
	}
	if got := notice.NewMuteLinks("", secret).Of(notice.CaseTopUp, "mail_1"); got != "" {
		t.Errorf("Of(topup) without a public URL = %q, want none", got)
	}
}
