package botfile_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

func TestRead_knowledge(t *testing.T) {
	want := []knowledge.Item{
		{Categories: [4]string{"주문", "반품"}, Question: "반품 기한은 며칠인가요", Answer: "받은 날부터\n7일입니다.", LandingURL: "https://hanbit.example/returns"},
		{Question: "배송비", Answer: "3,000원입니다."},
	}
	english := "category1,category2,category3,category4,question,answer,imageUrl,landingUrl\n" +
		"주문,반품,,,반품 기한은 며칠인가요,\"받은 날부터\n7일입니다.\",,https://hanbit.example/returns\n" +
		",,,,,,,\n\n,,,, 배송비 ,\"3,000원입니다.\",,\n"
	inKorean := "대분류;중분류;질문;답변;더보기 링크\n주문;반품;반품 기한은 며칠인가요;\"받은 날부터\r\n7일입니다.\";https://hanbit.example/returns\n;;배송비;3,000원입니다.;\n"
	cp949, err := korean.EUCKR.NewEncoder().String(inKorean)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]fstest.MapFS{
		"UTF-8":             folder(map[string]string{"knowledge.csv": english}),
		"UTF-8 with a mark": folder(map[string]string{"knowledge.csv": "\ufeff" + english}),
		"Korean in UTF-8":   folder(map[string]string{"knowledge.csv": inKorean}),
		"Korean in CP949":   folder(map[string]string{"knowledge.csv": cp949}),
		"a workbook": folder(map[string]string{"knowledge.xlsx": workbook(t, [][]string{
			{}, {"대분류", "중분류", "질문", "답변", "링크"}, {"주문", "반품", "반품 기한은 며칠인가요", "받은 날부터\n7일입니다.", "https://hanbit.example/returns"}, {},
			{"", "", "배송비", "3,000원입니다."},
		})}),
	} {
		t.Run(name, func(t *testing.T) {
			content, _, problems := botfile.Read(t.Context(), file, scenario.Rules{})
			if diff := cmp.Diff(want, content.Knowledge); diff != "" || len(problems) > 0 {
				t.Errorf("Read() problems %q, knowledge (-want +got):\n%s", lines(problems), diff)
			}
		})
	}
}

// workbook writes a workbook of rows.
func workbook(t *testing.T, rows [][]string) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

func TestRead_knowledgeProblems(t *testing.T) {
	header := "질문,답변,imageUrl\n"
	tests := map[string]struct {
		file, text string
		want       []string
	}{
		"rows": {"knowledge.csv", header +
			"반품,7일,\n" +
			",7일,\n" + // line 3
			"배송,,http://a.example/b.png\n" + // line 4
			"x,y\n" + // line 5
			"  반품 ,8일,\n" + // line 6: said in line 2
			strings.Repeat("가", 201) + "," + strings.Repeat("나", 1001) + ",\n" + // line 7
			"\"여러\n줄\",답,https://a.example\n" + // line 8
			"\u1107\u1161\u11ab\u1111\u116e\u11b7,답,\n", // line 10: 반품 in pieces
			[]string{
				"knowledge.csv:3:1: question is missing",
				"knowledge.csv:4:2: answer is missing",
				"knowledge.csv:4:3: imageUrl must be an https address",
				"knowledge.csv:5:1: has 2 columns, the first line has 3; put text that has a comma, a quote or a new line in quotes, and write a quote in it twice",
				"knowledge.csv:6:1: question is the same as knowledge.csv:2:1",
				"knowledge.csv:7:1: question is 201 characters, at most 200 are allowed",
				"knowledge.csv:7:2: answer is 1001 characters, at most 1000 are allowed",
				"knowledge.csv:10:1: question is the same as knowledge.csv:2:1",
			}},
		"exactly at the limits": {"knowledge.csv", header + strings.Repeat("가", 198) + "😀," + strings.Repeat("나", 1000) + ",\n", nil},
		"no answers":            {"knowledge.csv", "question\n반품\n", []string{"knowledge.csv:1:1: answer is a column that is missing"}},
		"a strange column":      {"knowledge.csv", "question,answer,tag\n", []string{`knowledge.csv:1:3: "tag" is no column of a knowledge base; there are category1, category2, category3, category4, question, answer, imageUrl, landingUrl`}},
		"a column twice":        {"knowledge.csv", "question,answer,질문\n", []string{"knowledge.csv:1:3: question stands twice in the header"}},
		"an empty file":         {"knowledge.csv", "", []string{"knowledge.csv:1:1: is empty; its first line names the columns: category1,category2,category3,category4,question,answer,imageUrl,landingUrl"}},
		"UTF-16":                {"knowledge.csv", "\xff\xfea\x00", []string{"knowledge.csv: must not be UTF-16; save the file as CSV UTF-8"}},
		"no workbook":           {"knowledge.xlsx", "question,answer\n", []string{"knowledge.xlsx: must be a workbook that can be read; save the file as .xlsx, without a password"}},
		"a cell with an error":  {"knowledge.xlsx", workbook(t, [][]string{{"question", "answer"}, {"반품", "#N/A"}}), []string{"knowledge.xlsx:2:2: answer is the error #N/A"}},
		"too many":              {"knowledge.csv", header + manyRows(50_001), []string{"knowledge.csv:50002:1: is one row too many; at most 50000 are kept"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, problems := botfile.Read(t.Context(), folder(map[string]string{tt.file: tt.text}), scenario.Rules{})
			if diff := cmp.Diff(tt.want, lines(problems)); diff != "" {
				t.Errorf("Read() problems (-want +got):\n%s", diff)
			}
		})
	}
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{"knowledge.csv": header, "knowledge.xlsx": "x"}), scenario.Rules{})
	if diff := cmp.Diff([]string{"knowledge.xlsx: stands beside knowledge.csv; have one of them"}, lines(problems)); diff != "" {
		t.Errorf("Read(two of them) problems (-want +got):\n%s", diff)
	}
}

func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "질문 %d,답,\n", i)
	}
	return b.String()
}
