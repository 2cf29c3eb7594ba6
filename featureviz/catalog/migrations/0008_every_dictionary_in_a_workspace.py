import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("catalog", "0007_workspaces")]

    operations = [
        migrations.AlterField(
            model_name="dictionary",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="dictionaries",
                to="catalog.workspace",
            ),
        ),
    ]
