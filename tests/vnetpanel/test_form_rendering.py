"""Forms come out in the panel's look without any markup in the page's template."""

from __future__ import annotations

from django import forms


class ExampleForm(forms.Form):
    name = forms.CharField(help_text="Shown in lists.")
    note = forms.CharField(widget=forms.Textarea(attrs={"class": "mono"}), required=False)
    kind = forms.ChoiceField(choices=[("a", "A")])
    sure = forms.BooleanField(label="I am sure")
    token = forms.CharField(widget=forms.HiddenInput)


def test_controls_carry_the_classes_that_style_them() -> None:
    html = str(ExampleForm())
    assert 'class="form-control" required' in html or 'class="form-control"' in html
    assert 'class="form-control mono"' in html
    assert 'class="form-select"' in html
    assert 'class="form-check-input"' in html
    assert html.count('name="token"') == 1


def test_help_and_errors_are_tied_to_their_control() -> None:
    html = str(ExampleForm({"kind": "a", "sure": "on", "token": "x"}))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "is-invalid" in html


def test_hidden_fields_have_no_label() -> None:
    assert 'for="id_token"' not in str(ExampleForm())


def test_what_a_user_typed_is_escaped() -> None:
    assert "<script>" not in str(ExampleForm({"name": "<script>", "kind": "<script>"}))
