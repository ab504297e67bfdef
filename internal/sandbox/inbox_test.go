package sandbox_test

import (
	"errors"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
)

const letter = "From: =?UTF-8?B?66eQ6ri4?= <no-reply@m.example>\r\n" +
	"To: haneul@hanbit.example\r\n" +
	"Subject: =?UTF-8?B?7J6Q64+Z6rKw7KCcIOyLpO2MqA==?=\r\n" +
	"Message-ID: <mai_1@m.example>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=out\r\n\r\n" +
	"--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n" +
	"--in\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
	"6rKw7KCc6rCAIOyLpO2MqO2W\r\niOyKteuLiOuLpC4=\r\n" +
	"--in\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"<p>1,650=EC=9B=90</p>\r\n" +
	"--in--\r\n" +
	"--out\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=invoice.pdf\r\n\r\n%PDF\r\n" +
	"--out--\r\n"

func (w *world) mail(body string, to ...string) error {
	return smtp.SendMail(w.SMTPAddress(), nil, "no-reply@m.example", to, []byte(body))
}

func TestInbox(t *testing.T) {
	w := newWorld(t)
	arrived := make(chan []any, 1)
	go func() { arrived <- w.items("/sandbox/mails?to=HANEUL@hanbit.example&wait_seconds=10") }()
	if err := w.mail(letter, "haneul@hanbit.example", "bada@hanbit.example"); err != nil {
		t.Fatalf("SendMail() = %v, want nil", err)
	}
	got := <-arrived
	if len(got) != 1 {
		t.Fatalf("mails to haneul = %v, want 1", got)
	}
	mail := got[0].(map[string]any)
	for field, want := range map[string]string{
		"subject": "자동결제 실패", "text": "결제가 실패했습니다.", "html": "<p>1,650원</p>",
		"message_id": "<mai_1@m.example>", "from": "말길 <no-reply@m.example>", "envelope_from": "no-reply@m.example",
	} {
		if mail[field] != want {
			t.Errorf("%s = %q, want %q", field, mail[field], want)
		}
	}
	attachments := mail["attachments"].([]any)
	if len(attachments) != 1 || attachments[0].(map[string]any)["name"] != "invoice.pdf" || len(mail["to"].([]any)) != 2 {
		t.Errorf("mail = %v, want one attachment and two receivers", mail)
	}
	if err := w.mail("Subject: hello\r\n\r\nplain\r\n", "bada@hanbit.example"); err != nil {
		t.Fatalf("SendMail(plain) = %v, want nil", err)
	}
	if err := w.mail("no header at all", "bada@hanbit.example"); err != nil {
		t.Fatalf("SendMail(nonsense) = %v, want nil", err)
	}
	for query, want := range map[string]int{
		"": 3, "?to=bada@hanbit.example": 3, "?to=haneul@hanbit.example": 1, "?subject=%EC%8B%A4%ED%8C%A8": 1,
		"?to=bada@hanbit.example&subject=hello": 1, "?to=nobody@x.example": 0,
	} {
		if got := len(w.items("/sandbox/mails" + query)); got != want {
			t.Errorf("GET mails%s = %d, want %d", query, got, want)
		}
	}
	plain := w.items("/sandbox/mails?subject=hello")[0].(map[string]any)
	if strings.TrimSpace(plain["text"].(string)) != "plain" || plain["html"] != "" {
		t.Errorf("a plain mail reads %q, %q, want plain text only", plain["text"], plain["html"])
	}
	w.must("DELETE", "/sandbox/mails", "")
	if got := w.Truth().Mails; got != 0 {
		t.Errorf("%d mails after deleting, want 0", got)
	}
}

func TestInbox_faults(t *testing.T) {
	tests := map[string]struct {
		fault string
		code  int // of SMTP; 0 is a connection that broke, -1 success
		kept  int
	}{
		"a mailbox that is not":    {`"refuse","to":"gone@x.example"`, 550, 0},
		"later, for one receiver":  {`"throttle","to":"gone@x.example"`, 451, 0},
		"for another receiver":     {`"refuse","to":"else@x.example"`, -1, 1},
		"an error before":          {`"error_before"`, 451, 0},
		"an error after":           {`"error_after"`, 451, 1},
		"cut before":               {`"cut_before"`, 0, 0},
		"cut after":                {`"cut_after"`, 0, 1},
		"stalled after, a moment":  {`"stall","seconds":0.05`, 0, 1},
		"stalled before, a moment": {`"stall_before","seconds":0.05`, 0, 0},
		"slow":                     {`"slow","seconds":0.05`, -1, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must("POST", "/sandbox/faults", `{"target":"smtp","fault":`+tt.fault+`}`)
			err := w.mail(letter, "gone@x.example")
			code := -1
			if err != nil {
				code = 0
				var said *textproto.Error
				if errors.As(err, &said) {
					code = said.Code
				}
			}
			if code != tt.code || w.Truth().Mails != tt.kept {
				t.Errorf("SendMail() = %v, code %d with %d kept, want code %d with %d kept", err, code, w.Truth().Mails, tt.code, tt.kept)
			}
			if err := w.mail(letter, "gone@x.example"); err != nil {
				t.Errorf("SendMail() after the fault = %v, want nil", err)
			}
		})
	}
}
